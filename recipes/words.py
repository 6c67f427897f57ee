"""Words of our own that the generated tasks are made of."""

CATEGORIES = {
    name: tuple(words.split())
    for name, words in {
        "animal": "dog cat horse cow sheep goat pig rabbit mouse lion tiger bear wolf fox deer "
        "monkey elephant camel donkey squirrel hedgehog otter badger zebra giraffe",
        "bird": "eagle hawk crow sparrow robin pigeon duck goose swan owl parrot gull heron wren "
        "stork raven turkey finch lark peacock",
        "fish": "salmon trout cod herring shark pike eel tuna carp sardine perch mackerel ray "
        "haddock plaice",
        "fruit": "apple pear plum cherry grape lemon orange peach banana melon fig mango apricot "
        "lime date kiwi",
        "vegetable": "carrot potato onion cabbage bean pea turnip leek celery spinach beetroot "
        "radish pumpkin cucumber garlic lettuce",
        "drink": "water milk tea coffee wine beer juice cider lemonade brandy rum cocoa",
        "tool": "hammer saw axe spade rake drill chisel wrench file pliers shovel hoe scissors "
        "ladder screwdriver",
        "garment": "coat hat shirt dress skirt shoe boot glove scarf sock jacket belt apron cloak "
        "trousers",
        "furniture": "table chair bed sofa desk bench shelf cupboard wardrobe stool cradle "
        "bookcase",
        "vehicle": "car bus train bicycle boat ship wagon truck tram carriage plane sledge van "
        "canoe",
        "body part": "head hand foot arm leg nose ear eye knee elbow shoulder finger neck chin "
        "back",
        "colour": "red blue green yellow black white brown purple pink grey violet crimson",
        "weather": "rain snow wind fog hail frost thunder lightning sunshine drizzle storm mist",
        "job": "baker teacher doctor lawyer farmer sailor soldier tailor painter nurse judge miner "
        "butcher barber carpenter",
        "relative": "mother father sister brother aunt uncle cousin niece nephew grandmother son "
        "daughter",
        "building": "house church school castle hospital barn hotel prison tower palace cottage "
        "factory theatre library",
        "tree": "oak pine elm birch maple willow ash beech cedar poplar chestnut yew",
        "game": "chess football tennis cricket cards hockey golf rugby darts draughts bowls polo",
        "number": "one two three four five six seven eight nine ten eleven twelve twenty",
        "country": "France Spain Italy Greece Egypt China India Japan Brazil Russia Norway Peru",
        "month": "January February March April June July August September October November",
        "metal": "iron gold silver copper tin lead zinc steel bronze brass nickel",
        "instrument": "piano violin flute drum harp guitar trumpet organ cello horn banjo fiddle",
        "flower": "rose lily daisy tulip peony poppy daffodil orchid iris lavender primrose",
        "insect": "bee ant wasp fly moth beetle butterfly flea locust gnat mosquito",
        "dish": "soup stew pie pudding omelette salad roast porridge pancake sandwich toast",
    }.items()
}
FRAMES = (
    "she bought a {word} yesterday",
    "they talked about the {word} for an hour",
    "I have never seen such a {word}",
    "there was a picture of a {word} on the wall",
    "the old man pointed at the {word}",
    "my friend dreamed of a {word} again",
    "nobody in the village had a {word}",
    "the child drew a {word} in the sand",
    "what a strange {word} that was",
    "he wrote a letter about the {word}",
    "the story begins with a {word}",
    "they could not find the {word} anywhere",
)
RELATIONS = {
    "opposite": "hot cold|big small|old young|fast slow|high low|rich poor|early late|hard soft|"
    "light dark|full empty|wet dry|long short|near far|strong weak|happy sad|open closed|"
    "right wrong|"
    "true false|thick thin|wide narrow|loud quiet|clean dirty|first last|up down|love hate|"
    "begin end|buy sell|give take|win lose|push pull|day night|friend enemy|peace war|north south",
    "past form": "go went|see saw|take took|give gave|come came|run ran|write wrote|eat ate|"
    "drink drank|sing sang|know knew|think thought|bring brought|find found|keep kept|sleep slept|"
    "speak spoke|stand stood|tell told|fall fell|hear heard|hold held|leave left|lose lost|"
    "make made|meet met|pay paid|say said|sit sat|teach taught|wear wore|win won|begin began",
    "capital": "France Paris|Spain Madrid|Italy Rome|Greece Athens|Egypt Cairo|China Beijing|"
    "Japan Tokyo|Russia Moscow|Norway Oslo|Peru Lima|Portugal Lisbon|Germany Berlin|Austria Vienna|"
    "Poland Warsaw|Sweden Stockholm|Denmark Copenhagen|Ireland Dublin|England London|Cuba Havana|"
    "Turkey Ankara|Hungary Budapest|Finland Helsinki|Chile Santiago|Kenya Nairobi",
    "young one": "dog puppy|cat kitten|horse foal|cow calf|sheep lamb|pig piglet|duck duckling|"
    "goose gosling|lion cub|deer fawn|goat kid|frog tadpole|hen chick|swan cygnet|hare leveret",
    "more of it": "big bigger|small smaller|fast faster|slow slower|old older|young younger|"
    "high higher|low lower|strong stronger|weak weaker|rich richer|poor poorer|happy happier|"
    "good better|bad worse|long longer|short shorter|wide wider|dark darker|cold colder|hot hotter",
    "several of it": "dog dogs|cat cats|box boxes|man men|woman women|child children|foot feet|"
    "tooth teeth|mouse mice|city cities|lady ladies|leaf leaves|knife knives|wolf wolves|"
    "ship ships|"
    "house houses|church churches|bird birds|goose geese|story stories|wife wives|day days|"
    "key keys",
    "woman of the kind": "king queen|man woman|father mother|brother sister|son daughter|"
    "uncle aunt|"
    "nephew niece|prince princess|actor actress|husband wife|boy girl|duke duchess|hero heroine|"
    "waiter waitress|host hostess|wizard witch|bull cow|cock hen|stallion mare|grandfather "
    "grandmother",
}
GOOD = (
    "good great lovely fine excellent wonderful charming perfect brilliant splendid "
    "pleasant superb "
    "delightful fresh friendly clean comfortable moving funny clever beautiful honest quick "
    "generous "
    "tasty amazing fantastic impressive reliable worthwhile enjoyable satisfying"
).split()
BAD = (
    "bad awful dreadful poor terrible boring dull rude dirty broken slow horrible nasty "
    "weak stupid "
    "ugly disappointing tedious cheap stale noisy useless empty confused lazy clumsy bland "
    "annoying "
    "mediocre unpleasant worthless painful"
).split()
GOOD_DOINGS = (
    "I would come back any day;we loved every minute;it made me smile;I recommend it to everyone;"
    "it works as it should;best thing I have bought in years;I could not stop laughing;"
    "we will go again soon;worth every penny;it exceeded what I hoped for;I am very happy with it"
).split(";")
BAD_DOINGS = (
    "I want my money back;we left before the end;it broke after a week;do not waste your time;"
    "I will never go there again;it made me sick;nobody cared about us;worst thing I have bought;"
    "I fell asleep half way;it did not work at all;avoid it if you can;I am very unhappy with it"
).split(";")
THINGS = (
    "film book play song hotel room soup meal waiter service phone battery radio lamp chair garden "
    "story plot ending actor music dinner coffee cake shop bus journey lesson speech "
    "picture camera "
    "sound screen price place dish food movie acting script cast staff quality headset"
).split()
MOOD_FRAMES = (
    "the {thing} was {word}",
    "the {thing} is {word} and the {other} is {second}",
    "what a {word} {thing}",
    "a {word} {thing} with a {second} {other}",
    "I found the {thing} {word}",
    "{word} {thing} , {second} {other} , {doing}",
    "the {thing} was not {opposite} at all",
    "{doing} , the {thing} was {word}",
    "{doing}",
    "the {other} could be better known : the {thing} is {word}",
    "my sister thinks the {thing} is {word} , and so do I",
    "a {thing} that is {word} and {second}",
    "not {opposite} , just {word}",
)
NAMES = (
    "Anna Ben Clara David Emma Frank Grace Henry Ida Jack Kate Leo Mary Ned Olga Paul Rosa Sam Tom "
    "Vera Will Zoe Alice Bruno Carl Dora Eric Fiona George Helen Ivan Julia Karl Laura Max Nora"
).split()
PLACES = (
    "Rome Oslo Paris Lima Cairo London Berlin Madrid Vienna Dublin Athens Lisbon Moscow "
    "Tokyo Boston "
    "Delhi Bern Quito Havana Prague"
).split()
PLAIN = (
    "time year people way day man thing woman life child world school family student group country "
    "problem hand part place case week company system program question work night point home water "
    "room mother area money story fact month lot right study book eye job word business side house "
    "friend father power hour game line end law car city name team minute idea body back "
    "face level "
    "office door health person art war history party morning reason girl boy air street "
    "stone river "
    "bridge window table paper letter music king queen wood fire cloud field summer winter garden"
).split()
SYLLABLES = (
    "ba be bo da di du fa fi ga go ka ki ku la le lo ma mi mo na "
    "ne no pa pi ra ri ru sa so ta ti tu va vo za zu"
).split()
