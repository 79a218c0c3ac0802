"""Is the reward being hacked? What samples show, the rules that raise alerts, what is done."""
