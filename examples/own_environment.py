"""PPO in your own loop: a guessing game in which the environment, not a reward model, pays.

    python examples/own_environment.py

The policy asks for things it wants from a dialogue; the environment pays for short answers that
name a speaker. Replace `play` by your game, your tool or your users.
"""

import humanalign as ha

PROMPTS = [
    "Summarize: Ana: the tap drips again. Ben: I will mend it tonight.",
    "Summarize: Cem: where is the key? Dana: under the blue pot.",
]


def play(prompt: str, answer: str) -> float:
    """One point for naming a speaker, less for every word."""
    names = [word.rstrip(":") for word in prompt.split() if word.endswith(":")][1:]
    return float(any(name in answer for name in names)) - 0.02 * len(answer.split())


def main(steps: int = 5) -> list[float]:
    policy = ha.Policy.load("tiny-instruct", lora=ha.Lora(rank=16))
    learner = ha.Learner(policy, method="ppo", settings={"lr": 1e-3, "max_new_tokens": 24})
    earned = []
    for _ in range(steps):
        prompts = PROMPTS * 16
        completions = learner.generate(prompts)
        rewards = [play(p, c) for p, c in zip(prompts, completions, strict=True)]
        metrics = learner.step(prompts, completions, rewards)
        earned.append(metrics["reward"])
        print(f"reward {metrics['reward']:.3f}  KL {metrics['kl']:.3f} nats")
    return earned


if __name__ == "__main__":
    main()
