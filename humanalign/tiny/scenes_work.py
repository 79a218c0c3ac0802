"""Scenes at work, at school and at the doctor's, in the notation that `grammar.py` reads."""

SCENES = """
## late_document: item=document day=day excuse=excuse
A> Where is the {item}? I need it today.
 | {b}, I still do not have the {item}.
B> I am sorry. I could not finish it, {excuse}.
 | It is not ready. I came late because {excuse}.
A> Then I expect it on {day}.
 | The client wants it by {day}.
B> You will have it.
 | I will work all night.
= {b} has not finished the {item} because {excuse}, and {a} expects it on {day}.
= {a} wants the {item} from {b} on {day}. It is late because {excuse}.
? What does {a} need? :: The {item}.
? When must it be ready? :: On {day}.

## move_meeting: team=team day=day other=day
A> Can we move the meeting with the {team} team? I am away on {other}.
 | I cannot come to the {team} meeting on {other}.
B> Would {day} be better?
 | Everybody is free on {day}. Is that good for you?
A> Yes, {day} is perfect.
 | That works for me.
B> Good, I will tell the others.
 | I will send a new invitation.
= {a} and {b} move the meeting with the {team} team from {other} to {day}.
= {a} is away on {other}, so {b} moves the {team} meeting to {day}.
? When is the new meeting? :: On {day}.
? Which team do they meet? :: The {team} team.

## job_offer: job=job city=city month=month
A> I got the job as a {job}!
 | Good news, they want me as a {job}.
B> Congratulations! When do you start?
 | That is great. Where will you work?
A> In {month}, and the office is in {city}.
 | In {city}. My first day is in {month}.
= {a} tells {b} about a new job as a {job} in {city} that starts in {month}.
= {b} congratulates {a}, who starts as a {job} in {city} in {month}.
? What is the new job? :: It is the job of a {job}.
? When does {a} start? :: In {month}.

## raise: percent=percent month=month team=team
A> I would like to talk about my pay.
 | Do you have a minute? It is about my salary.
B> You did good work for the {team} team. What do you want?
 | The {team} team is happy with you. What did you have in mind?
A> I would like {percent} percent more.
 | I was thinking of {percent} percent.
B> That is possible, but only from {month}.
 | Fine, you will get it in {month}.
= {a} asks for {percent} percent more pay in the {team} team and {b} agrees from {month}.
= {b} will pay {a} of the {team} team {percent} percent more from {month}.
? How much more does {a} want? :: It is {percent} percent.
? When will {a} get more? :: In {month}.

## broken_gadget: item=gadget time=time team=team
A> My {item} is broken and I have a call at {time}.
 | Help, the {item} died. I must talk to a client at {time}.
B> Did you ask the {team} team?
 | You can get one from the {team} team.
A> Not yet, I will go there now.
 | Good idea. I hope that they are in.
= {a} needs a new {item} before {time} and {b} suggests the {team} team.
= {b} sends {a} to the {team} team because the {item} broke before a call at {time}.
? What is broken? :: The {item}.
? Who can help? :: The {team} team.

## event_tasks: task=task other=task day=day
A> The event is on {day}. Who will {task}?
 | We have to {task} before {day}.
B> I can do that. And you?
 | Leave that to me. What will you do?
A> I will {other}.
 | Then I can {other}.
B> Good, we are a great team.
 | Great, that should be all.
= For the event on {day}, {b} will {task} and {a} will {other}.
= {b} will {task} and {a} will {other} before {day}.
? What will {b} do? :: The job is to {task}.
? When is the event? :: On {day}.

## exam: subject=subject day=day place=place
A> Are you ready for the {subject} exam on {day}?
 | The {subject} test is on {day} and I know nothing.
B> No, not at all. Shall we study together?
 | Me too. We could learn together.
A> Yes, let us meet at {place}.
 | Good. I will wait for you at {place}.
= {a} and {b} will study at {place} for the {subject} exam on {day}.
= {b} and {a} meet at {place} because the {subject} test is on {day}.
? Which exam is it? :: The {subject} exam.
? Where will they study? :: At {place}.

## homework: subject=subject excuse=excuse day=day
A> Where is your {subject} homework, {b}?
 | {b}, you did not hand in your {subject} homework.
B> I am sorry, {excuse}.
 | I left it at home because {excuse}.
A> You can bring it on {day}.
 | Then I want to see it on {day}.
B> Thank you very much.
 | I will not forget it.
= {b} has no {subject} homework because {excuse}, and {a} wants it on {day}.
= {a} gives {b} until {day} for the {subject} homework because {excuse}.
? Which homework is missing? :: The {subject} homework.
? When must {b} bring it? :: On {day}.

## language_class: language=language day=day price=price
A> I want to learn {language}. Do you teach it?
 | Do you have a {language} class for beginners?
B> Yes, every {day}. A lesson costs {price}.
 | We meet every {day}. It is {price} a lesson.
A> Good, I will come next week.
 | That is fair. Please write down my name.
= {a} wants to learn {language} and {b} teaches it every {day} for {price}.
= {b} offers {a} a {language} class for {price} every {day}.
? Which language is it? :: It is {language}.
? What does a lesson cost? :: It costs {price}.

## music_lesson: instrument=instrument relative=relative time=time
A> My {relative} wants to play the {instrument}. Can you help?
 | Do you teach the {instrument}? It is for my {relative}.
B> Sure. I have a free hour at {time}.
 | I do. Could you come at {time}?
A> Yes, we will be there.
 | Great. We will bring the notes.
= {b} will teach the {relative} of {a} the {instrument} at {time}.
= {a} wants {instrument} lessons for a {relative}, and {b} is free at {time}.
? Who wants to play? :: The {relative} of {a}.
? When is the lesson? :: At {time}.

## doctor: illness=illness days=count day=day
A> I have had a {illness} for {days} days.
 | Doctor, this {illness} started {days} days ago and I feel awful.
B> Please rest and drink a lot of tea.
 | Let me have a look. You need rest.
A> When can I go back to work?
 | How long must I stay in bed?
B> Come back on {day} and we will see.
 | Stay at home until {day}.
= {a} has had a {illness} for {days} days and {b} advises rest until {day}.
= {b} tells {a} to rest until {day} because of a {illness} of {days} days.
? What is wrong with {a}? :: It is a {illness}.
? Until when must {a} rest? :: Until {day}.

## injury: body=body sport=sport time=time
A> I hurt my {body} at {sport}.
 | My {body} hurts since the {sport} training.
B> That looks bad. Can you move it?
 | Oh dear. You should see a doctor.
A> Not really. It hurts a lot.
 | I am afraid so.
B> I can see you at {time}.
 | Come to the clinic at {time}.
= {a} hurt the {body} at {sport} and {b} will see {a} at {time}.
= {b} will look at the {body} that {a} hurt at {sport} at {time}.
? What hurts? :: The {body}.
? Which sport was it? :: It was {sport}.

## sport_partner: sport=sport day=day place=place
A> Do you still play {sport}?
 | I need somebody for {sport}. Are you free?
B> Yes, but I am not very good. When?
 | Sure, I need to move more. When shall we go?
A> On {day}, behind {place}.
 | We meet at {place} on {day}.
= {a} and {b} will do {sport} on {day} near {place}.
= {b} joins {a} for {sport} near {place} on {day}.
? Which sport is it? :: It is {sport}.
? When will they meet? :: On {day}.

## flat_viewing: home=home city=city price=price
A> Is {home} in {city} still free?
 | I saw that you rent {home} in {city}.
B> Yes. The rent is {price} a week.
 | It is free. I ask {price} a week.
A> Could I see it today?
 | That is cheap. When can I see it?
B> Sure, come by after work.
 | Any time, I am always here.
= {a} wants to see {home} in {city} that {b} rents out for {price} a week.
= {b} rents out {home} in {city} for {price} a week and {a} will see it.
? Where is the flat? :: In {city}.
? What is the rent? :: It is {price} a week.
"""
