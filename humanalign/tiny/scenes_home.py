"""Scenes among family, friends and neighbours, in the notation that `grammar.py` reads."""

SCENES = """
## noise: noise=noise time=time
A> Hi {b}, could you stop the {noise}? I cannot sleep.
 | {b}, I hear {noise} from your flat every night.
B> Oh, I am sorry. I did not know that you can hear it.
 | Really? The walls must be very thin.
A> Please keep it quiet after {time}.
 | Could it at least end at {time}?
B> Sure, I promise.
 | Of course. It will not happen again.
= {a} complains about {noise} and {b} promises to be quiet after {time}.
= {a} hears {noise} from next door. {b} promises to stop at {time}.
? What does {a} complain about? :: The {noise}.
? When will {b} be quiet? :: After {time}.

## borrow_tool: item=tool day=day place=room
A> Could I borrow your {item}?
 | Hi {b}, do you have a {item} that I could use?
B> Sure. What do you need it for?
 | Yes, it is right here. What is the plan?
A> I am doing some work in the {place}.
 | I want to fix something in the {place}.
B> Fine, but I need it back on {day}.
 | Just bring it back by {day}.
= {a} borrows the {item} for work in the {place} and {b} needs it back on {day}.
= {b} lends {a} the {item} for the {place} until {day}.
? What does {a} borrow? :: The {item}.
? Where will {a} work? :: In the {place}.

## pet_sitting: pet=pet nights=count city=city
A> We are going to {city}. Could you look after the {pet}?
 | {b}, can you take the {pet}? I have to go to {city}.
B> For how long?
 | Gladly. When are you back?
A> For {nights} nights. The food is in the cupboard.
 | After {nights} nights. I will leave you the keys.
B> No problem, I love animals.
 | All right. Have a good trip.
= {b} will look after the {pet} for {nights} nights while {a} is in {city}.
= {a} goes to {city} for {nights} nights, so {b} takes the {pet}.
? Where does {a} go? :: To {city}.
? Which animal is it? :: The {pet}.

## missing_pet: pet=pet colour=colour place=place
A> Have you seen my {pet}? It ran away last night.
 | {b}, my {pet} is gone and I am worried.
B> Is it the {colour} one?
 | Do you mean the little {colour} one?
A> Yes, that is the one.
 | Yes! Did you see it?
B> I saw it near {place} an hour ago.
 | It was sitting behind {place} this morning.
= {a} is looking for a {colour} {pet} and {b} saw it near {place}.
= {b} saw the {colour} {pet} of {a} near {place}.
? What does {a} look for? :: A {colour} {pet}.
? Where did {b} see it? :: Near {place}.

## chores: chore=chore other=chore day=day
A> Did you {chore}?
 | You promised to {chore}, {b}.
B> Not yet. I had to {other} first.
 | Sorry, I forgot. I had to {other}.
A> You say that every week.
 | But we have guests this evening.
B> I will do it on {day}, really.
 | Give me until {day}.
= {a} wants {b} to {chore}, and {b} will do it on {day}.
= {b} has not had time to {chore} yet and tells {a} to wait until {day}.
? What must {b} do? :: The job is to {chore}.
? When will {b} do it? :: On {day}.

## birthday: relative=relative present=present day=day
A> What shall we give my {relative} for the birthday?
 | It is the birthday of my {relative} on {day}. Any ideas?
B> How about {present}?
 | I would buy {present}.
A> Great idea. The party is on {day}.
 | Perfect. And you will come on {day}, right?
B> Yes, I will bring a cake.
 | I would not miss it.
= {a} and {b} will give {present} to the {relative} of {a} on {day}.
= {b} suggests {present} for the birthday of the {relative} of {a} on {day}.
? What is the present? :: It is {present}.
? When is the party? :: On {day}.

## cake: cake=cake count=count day=day
A> Can you bake a {cake} cake for {day}?
 | {b}, we need a {cake} cake on {day}.
B> Sure. How many people will eat it?
 | With pleasure. Is it for many people?
A> We are {count}.
 | There will be {count} of us.
= {b} will bake a {cake} cake for {a} and {count} people on {day}.
= {a} asks {b} for a {cake} cake for {count} on {day}.
? Which cake does {a} want? :: A {cake} cake.
? How many people will eat it? :: There are {count} people.

## dinner_plan: dish=dish item=vegetable time=time
A> What shall we cook tonight?
 | I am hungry. What is for dinner?
B> I could make {dish}, but we have no {item}.
 | How about {dish}? We only need {item}.
A> I will buy some on the way home.
 | Fine, I can get them from the shop.
B> Good, dinner is at {time} then.
 | Then we can eat at {time}.
= {b} will cook {dish} at {time} and {a} will buy the {item}.
= {a} buys {item} so that {b} can make {dish} at {time}.
? What will they eat? :: They eat {dish}.
? What must {a} buy? :: The {item}.

## garden: flower=flower vegetable=vegetable month=month
A> Your {flower} look wonderful, {b}.
 | I love the {flower} in your garden.
B> Thank you. I planted them in {month}.
 | They like the sun. I put them in during {month}.
A> I only have {vegetable}, and the snails eat them.
 | Mine died, so I grow {vegetable} now.
= {a} likes the {flower} that {b} planted in {month} and grows {vegetable}.
= {b} planted {flower} in {month}, while {a} grows only {vegetable}.
? What did {b} plant? :: The {flower}.
? What does {a} grow? :: The {vegetable}.

## moving: city=city item=furniture day=day
A> I am moving to {city} on {day}.
 | Guess what, I found a flat in {city}. I move on {day}.
B> How exciting! Do you need help?
 | Wow! What about all your things?
A> Yes, could you carry the {item} with me?
 | I only worry about the {item}. Will you help me?
B> Sure, I will bring my van.
 | Of course, I am strong.
= {a} moves to {city} on {day} and {b} will help to carry the {item}.
= {b} will help {a} with the {item} for the move to {city} on {day}.
? Where does {a} move? :: To {city}.
? What is heavy? :: The {item}.

## late_meeting: place=place excuse=excuse wait=minutes
A> Where are you? I am waiting at {place}.
 | {b}, I have been standing at {place} for ages.
B> I am sorry, {excuse}.
 | I know, I am late. I could not help it, {excuse}.
A> When will you be here?
 | And how long will you need?
B> Give me {wait} minutes.
 | I will be there in {wait} minutes.
= {a} waits at {place} and {b} will be {wait} minutes late because {excuse}.
= {b} tells {a} at {place} that it takes {wait} more minutes because {excuse}.
? Where is {a}? :: At {place}.
? Why is {b} late? :: Because {excuse}.

## meet_up: place=place other=place time=time
A> Shall we meet at {other} later?
 | Do you want to go to {other} with me?
B> I would rather go to {place}. It is not so far.
 | I was there yesterday. Can we meet at {place}?
A> Fine. Is {time} all right?
 | Sure. I can be there at {time}.
B> Perfect, see you then.
 | Yes, I am looking forward to it.
= {a} and {b} will meet at {place} at {time}.
= {b} does not want to go to {other}, so {a} agrees to meet at {place} at {time}.
? Where will they meet? :: At {place}.
? When will they meet? :: At {time}.

## game_night: game=game day=day present=cake
A> Are you free on {day}? We could play {game}.
 | We play {game} on {day}. Do you want to come?
B> I would love to, but I always lose.
 | Yes, but you must explain the rules.
A> It is only for fun. Bring something sweet.
 | That is easy. Can you bring a cake?
B> I will make my {present} cake.
 | Then I will bring a {present} cake.
= {a} invites {b} to play {game} on {day}, and {b} brings a {present} cake.
= {b} will come with a {present} cake to play {game} with {a} on {day}.
? What will they play? :: They play {game}.
? When do they meet? :: On {day}.
"""
