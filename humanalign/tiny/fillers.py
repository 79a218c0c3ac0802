"""The words that fill the slots of the bundled world's scenes, by kind.

No filler of a kind is a word of another filler of the same kind, except where the longer one is
read first ("half past two" before "two"). No filler is an insult; a test checks both.
"""

from __future__ import annotations

_NAMES = """
    Omar Lena Priya Jonas Mei Carlos Ines Tariq Hanna Kofi Sofia Victor Yuki Amara Felix Nadia
    Pablo Greta Samir Chloe Bruno Aisha Oscar Zoe Ivan Maya Hugo Leila Simon Rosa Daniel Freya
    Marco Elena Adam Nora Rafael Clara Jamal Alice Peter Lucia Kwame Julia Anton Sara Miguel Emma
    David Olga Noah Teresa Lukas Fatima George Marta Theo Vera Ravi Diana Paul Irene Martin
    Gloria
"""
NAMES = tuple(_NAMES.split())

_SPACED: dict[str, str] = {
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "month": "January February March April June July August September October November December",
    "relative": "sister brother cousin uncle aunt mother father grandmother grandfather neighbour",
    "colour": "red blue green yellow white black grey orange purple brown",
    "subject": "maths history biology chemistry physics geography music art French Spanish German",
    "language": "Italian Japanese Turkish Polish Greek Swedish Korean Dutch Arabic Portuguese",
    "city": """Paris Rome Lisbon Berlin Vienna Prague Oslo Dublin Madrid Athens Cairo Toronto Boston
        Chicago Sydney Tokyo Delhi Lima Nairobi Zurich""",
    "appliance": """dishwasher fridge oven kettle toaster freezer heater printer vacuum radio
        microwave television""",
    "garment": "jacket sweater dress coat shirt scarf skirt raincoat suit hat",
    "gadget": "phone laptop tablet camera keyboard monitor headset charger speaker router",
    "furniture": "sofa wardrobe bookcase desk table bed armchair cupboard mirror lamp",
    "tool": "ladder drill hammer saw wheelbarrow lawnmower toolbox shovel spanner paintbrush",
    "instrument": "guitar piano violin drums trumpet flute cello saxophone accordion clarinet",
    "pet": "cat dog parrot rabbit hamster tortoise goldfish canary",
    "dish": """lasagne curry pizza soup salad risotto paella stew omelette sushi burger pie noodles
        dumplings""",
    "cake": "carrot chocolate lemon apple almond cherry coconut banana",
    "document": "contract invoice budget proposal agenda brochure report manual questionnaire memo",
    "team": "sales marketing finance design legal support research training",
    "sport": "tennis football basketball badminton hockey volleyball swimming climbing yoga rowing",
    "flower": "roses tulips lilies daisies sunflowers orchids violets irises",
    "vehicle": "car van bike scooter truck motorbike",
    "part": "brakes clutch engine battery mirrors lights tyres gearbox",
    "body": "back knee shoulder ankle elbow wrist neck hip",
    "illness": "cough fever headache rash cold toothache earache flu",
    "room": "kitchen bathroom bedroom hall cellar attic garage balcony",
    "count": "two three four five six seven eight nine ten",
    "minutes": "ten fifteen twenty thirty forty fifty",
    "percent": "5 10 15 20 25 30 40 50",
    "platform": "1 2 3 4 5 6 7 8 9",
    "price": "$12 $18 $20 $25 $35 $45 $60 $75 $80 $90 $120 $150 $200 $300",
    "vegetable": "tomatoes potatoes carrots onions beans peppers cucumbers pumpkins",
    "job": "nurse baker pilot plumber gardener carpenter teacher electrician chef driver",
    "game": "chess dominoes backgammon poker bingo checkers",
}

_PHRASES: dict[str, str] = {
    "time": """
        noon; one; two; three; four; five; six; seven; eight; nine; ten; eleven; half past two;
        half past three; half past four; half past six; half past seven; half past eight""",
    "place": """
        the library; the station; the park; the museum; the cinema; the harbour; the market;
        the stadium; the bakery; the gym; the theatre; the airport; the zoo; the castle; the bridge;
        the town hall; the swimming pool; the bus stop; the coffee shop; the book shop""",
    "lost": """
        wallet; umbrella; backpack; passport; notebook; necklace; suitcase; watch; purse;
        house key; sun glasses; train ticket""",
    "excuse": """
        the bus broke down; the alarm did not ring; the road was closed; the train was late;
        the car would not start; the meeting ran over; the babysitter was ill;
        the ferry did not come; the taxi got lost; the lift was stuck""",
    "noise": """
        loud music; barking; drilling; hammering; singing; shouting; drum practice; a loud party;
        slamming doors; a car alarm""",
    "chore": """
        mow the lawn; water the plants; wash the dishes; clean the windows; take out the rubbish;
        fold the laundry; sweep the floor; feed the fish; paint the fence; tidy the shed""",
    "film": """
        a comedy; a thriller; a western; a cartoon; a documentary; a musical; a war film;
        a love story; a ghost story; a crime film""",
    "present": """
        a puzzle; a kite; a board game; a bracelet; a cookbook; a teapot; a basket of fruit;
        a box of chocolates; a concert ticket; a picture frame""",
    "fault": """
        too small; too big; too long; too short; too tight; too heavy; torn; stained; faded;
        missing a button""",
    "task": """
        book the hall; print the posters; order the food; write the speech; call the guests;
        rent the chairs; design the flyer; check the sound""",
    "home": """
        a flat; a small house; a studio; a cottage; a farm house; a room; a houseboat;
        a penthouse""",
    "change": """
        more salt; less sugar; no onions; extra cheese; a bigger plate; fresh bread;
        a spicy sauce; a side of rice""",
}

FILLERS: dict[str, tuple[str, ...]] = {
    **{kind: tuple(words.split()) for kind, words in _SPACED.items()},
    **{
        kind: tuple(" ".join(p.split()) for p in text.split(";")) for kind, text in _PHRASES.items()
    },
}
