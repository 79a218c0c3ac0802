"""Scenes at a counter, on the phone and on the road, in the notation that `grammar.py` reads."""

SCENES = """
## broken_appliance: item=appliance day=day
A> Hello, my {item} stopped working this morning.
 | Hi, the {item} that I bought from you is broken.
 | Good morning. My new {item} does not work any more.
B> I am sorry to hear that. We can send somebody on {day}.
 | Oh no. Our engineer can come on {day}.
A> {day} suits me. Thank you.
 | Great, I will be at home.
= {a} reports a broken {item} and {b} will send an engineer on {day}.
= {a} calls about a broken {item}. {b} promises an engineer on {day}.
? What is broken? :: The {item}.
? When will the engineer come? :: On {day}.

## refund: item=garment fault=fault price=price
A> I would like to return this {item}. It is {fault}.
 | Hello, can I bring this {item} back? It is {fault}.
B> Of course. How much did you pay for it?
 | No problem. What was the price?
A> It cost {price}.
 | I paid {price} for it.
B> Here are your {price}. Have a nice day.
 | Fine, you get the money back today.
= {a} returns the {item} because it is {fault} and {b} refunds {price}.
= {a} brings back a {item} that is {fault}, and {b} pays back {price}.
? How much was the {item}? :: It cost {price}.
? Why does {a} return the {item}? :: It is {fault}.

## late_pizza: dish=dish wait=minutes
A> Hi, I am still waiting for the {dish} that I ordered.
 | Hello, where is my {dish}? I ordered it an hour ago.
B> Sorry, the kitchen is very busy. It needs another {wait} minutes.
 | I am so sorry. The driver will be there in {wait} minutes.
A> All right, but please hurry.
 | That is long. I am really hungry.
B> You will get a free drink for the wait.
 | We will send a free dessert with it.
= {a} is waiting for the {dish} and {b} says that it needs {wait} more minutes.
= {a} asks about the late {dish}. {b} promises it in {wait} minutes.
? What did {a} order? :: The {dish}.
? How long will it take? :: About {wait} minutes.

## table_booking: count=count day=day place=flower
A> I would like to book a table for {count} people on {day}.
 | Hello, do you have a table for {count} on {day}?
 | Can we come on {day}? We are {count} people.
B> Yes, we have one by the window.
 | Let me see. Yes, there is a free table in the garden.
A> Lovely. Please put some {place} on the table.
 | Great. Could you put {place} on it? It is a birthday.
B> With pleasure. See you on {day}.
 | Of course, we will do that.
= {a} books a table for {count} on {day} and asks {b} for {place}.
= {b} reserves a table on {day} for {a} and {count} guests, with {place}.
? How many people will come? :: There will be {count} people.
? Which flowers does {a} want? :: The {place}.

## wrong_dish: dish=dish other=dish change=change
A> Excuse me, I ordered the {dish}, but this is the {other}.
 | Sorry, this is {other}. I asked for {dish}.
B> I am very sorry. I will bring the right plate at once.
 | My mistake. The kitchen will make it now.
A> Thank you. With {change}, please.
 | Good. And I would like {change} with it.
= {a} got the {other} and asks {b} for the {dish} with {change}.
= {b} brought {other} by mistake. {a} wants {dish} with {change}.
? What did {a} order? :: The {dish}.
? What did {b} bring? :: The {other}.

## lost_property: item=lost place=place colour=colour
A> Hello, I think I lost my {item} near {place}.
 | Good afternoon. Has anybody found a {item}? I was at {place}.
B> What colour is it?
 | Can you tell me the colour?
A> It is {colour}.
 | A {colour} one, quite old.
B> We have it here. You can pick it up today.
 | Yes, a boy brought it an hour ago.
= {a} lost a {colour} {item} near {place} and {b} has found it.
= {b} has the {colour} {item} that {a} lost near {place}.
? What did {a} lose? :: A {colour} {item}.
? Where did {a} lose it? :: Near {place}.

## train: city=city platform=platform time=time
A> Which train goes to {city}, please?
 | Excuse me, when does the next train to {city} leave?
B> It leaves at {time} from platform {platform}.
 | Go to platform {platform}. The train leaves at {time}.
A> Do I have to change?
 | Is there a seat left?
B> No, but please hurry.
 | Yes, and tickets are at the desk.
= {a} asks about the train to {city}. {b} says that it leaves at {time} from platform {platform}.
= {b} tells {a} that the train to {city} leaves from platform {platform} at {time}.
? Where does {a} want to go? :: To {city}.
? Which platform does it leave from? :: From platform {platform}.

## hotel: city=city nights=count price=price
A> I need a room in {city} for {nights} nights.
 | Do you have a double room in {city}? We would stay {nights} nights.
B> Yes, it costs {price} a night with breakfast.
 | We do. A night is {price}.
A> That is fine. Please book it.
 | Good, I will take it.
= {a} books a room in {city} for {nights} nights and {b} charges {price} a night.
= {b} offers a room in {city} at {price} a night, and {a} books {nights} nights.
? How many nights does {a} stay? :: It is {nights} nights.
? What does a night cost? :: It costs {price}.

## flight: city=city other=city day=day
A> My flight to {city} was cancelled. What can I do?
 | Hello, I hear that there is no flight to {city} today.
B> You can fly through {other} on {day}.
 | I can offer you a seat on {day}, with a stop in {other}.
A> Well, I have no choice. Please change the ticket.
 | That is late, but I will take it.
= {a} cannot fly to {city} today and {b} offers a flight through {other} on {day}.
= The flight to {city} was cancelled, so {b} books {a} through {other} on {day}.
? Where does {a} want to go? :: To {city}.
? When is the new flight? :: On {day}.

## car_repair: vehicle=vehicle part=part price=price
A> How is my {vehicle}? Can I get it today?
 | Hi, I am calling about my {vehicle}.
B> We found a problem with the {part}. It will cost {price}.
 | The {part} must be replaced. That is {price}.
A> That is a lot. Is it really needed?
 | Oh dear. Please go ahead.
B> Yes, it is not safe like this.
 | We will have it ready tonight.
= {b} tells {a} that the {part} of the {vehicle} must be repaired for {price}.
= {a} asks about the {vehicle}. {b} says that the {part} will cost {price}.
? What is wrong with the {vehicle}? :: The {part}.
? What is the price? :: It is {price}.

## discount: item=furniture percent=percent price=price
A> How much is this {item}?
 | I like this {item}. What does it cost?
B> It is {price}, but it has a scratch.
 | {price}. It is the last one.
A> Could you give me a discount of {percent} percent?
 | I would take it if you took off {percent} percent.
B> All right, because it is you.
 | Deal. I will wrap it for you.
= {a} wants the {item} for {price} and {b} agrees to {percent} percent off.
= {b} sells {a} the {item} that costs {price} with a discount of {percent} percent.
? What does {a} buy? :: The {item}.
? How big is the discount? :: It is {percent} percent.

## gadget_support: item=gadget colour=colour time=time
A> My {item} does not start. There is only a {colour} light.
 | Hello, the {item} shows a {colour} light and nothing happens.
B> Please hold the button for a minute. Does that help?
 | Did you try to switch it off and on again?
A> I did, but it is still dead.
 | No, nothing changes.
B> Then please bring it to the shop at {time}.
 | Our man can look at it at {time}.
= The {item} of {a} shows only a {colour} light and {b} wants to see it at {time}.
= {a} has a {item} with a {colour} light. {b} will look at it at {time}.
? Which light does it show? :: A {colour} light.
? When will {b} see it? :: At {time}.

## film_tickets: film=film count=count day=day
A> What are they showing on {day}?
 | Shall we see a film on {day}?
B> There is {film} in the evening.
 | I read that they show {film}.
A> Good. I will get {count} tickets.
 | Nice. We need {count} seats, the children come too.
= {a} will get {count} tickets for {film} that {b} found for {day}.
= {b} tells {a} about {film} on {day}, and {a} buys {count} tickets.
? What will they see? :: They see {film}.
? When will they see it? :: On {day}.
"""
