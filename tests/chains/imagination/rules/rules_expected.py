"""What the rules are expected to make of English: hand-written cases, spread over all kinds of edits.

A table holds a caption in a captioner's manner, and below it modifications with what a good description is:

    MODIFICATION => DESCRIPTION | ANOTHER GOOD ONE       exactly this
    MODIFICATION ~> SAID, SAID/OR SO ! LEFT OUT          these words are there, and those are not
    > MODIFICATION ...                                   a turn that edits the target of the line above
    ... [remove: WORDS; add: WORDS; keep: WORDS]         what stands there, at least

A line that ends in ``|`` goes on in the next. The cases were written before the rules were asked, and amended where a
second look found another answer as good. ``KNOWN_TO_FAIL`` holds those that the rules do not reach.
"""

from __future__ import annotations

EXPECTED = {
    "change X to Y": """
a dog laying on a couch
change the dog to a cat => a cat laying on a couch [remove: dog; add: cat]
change the dog into a rabbit => a rabbit laying on a couch
change the couch to a bed => a dog laying on a bed [remove: couch; add: bed]
change couch to carpet => a dog laying on carpet | a dog laying on a carpet
replace the couch with a wooden floor => a dog laying on a wooden floor
replace the dog by two kittens => two kittens laying on a couch
swap the dog for a parrot => a parrot laying on a couch
swap out the couch for a hammock => a dog laying on a hammock
turn the dog into a fox => a fox laying on a couch
the dog becomes a wolf => a wolf laying on a couch
substitute the couch with an armchair => a dog laying on an armchair
switch the couch to a blanket => a dog laying on a blanket

a bowl of soup on a wooden table
change the soup to salad => a bowl of salad on a wooden table
replace the wooden table with a marble counter => a bowl of soup on a marble counter
change the bowl to a plate => a plate of soup on a wooden table

a man riding a bike down a street
change the bike to a motorcycle => a man riding a motorcycle down a street
replace the man with a young girl => a young girl riding a bike down a street
replace the street with a forest path => a man riding a bike down a forest path

a red sports car parked on a street
change the car to a pickup truck => a red pickup truck parked on a street
turn the sports car into a van => a red van parked on a street

a white bird sitting on a branch
change the bird into an owl => a white owl sitting on a branch
change the branch to a fence post => a white bird sitting on a fence post
""",
    "Y instead of X": """
a dog laying on a couch
a cat instead of a dog => a cat laying on a couch [remove: dog]
a cat instead of the dog => a cat laying on a couch
instead of a dog, a cat => a cat laying on a couch
instead of a couch, the dog is on a rug => a dog laying on a rug | a dog on a rug
on a chair instead of a couch => a dog laying on a chair
a bed rather than a couch => a dog laying on a bed
has a pillow in place of the couch ~> dog, pillow ! couch
there is a pig in the dog's place ~> pig ! dog
two puppies instead of one dog => two puppies laying on a couch

a plate of pasta with tomato sauce
with cream sauce instead of tomato sauce => a plate of pasta with cream sauce
rice instead of pasta => a plate of rice with tomato sauce
a bowl instead of a plate => a bowl of pasta with tomato sauce

a woman holding an umbrella in the rain
a man instead of a woman => a man holding an umbrella in the rain
holding a newspaper instead of an umbrella => a woman holding a newspaper in the rain
in the snow instead of the rain => a woman holding an umbrella in the snow
a child rather than an adult woman => a child holding an umbrella in the rain

a train traveling over a bridge
a bus instead of a train => a bus traveling over a bridge
not a train but a tram => a tram traveling over a bridge
a tunnel instead of a bridge ~> train, tunnel ! bridge
""",
    "make it Y": """
a wooden chair next to a table
make it a stool => a stool next to a table | a wooden stool next to a table
make the chair white => a white wooden chair next to a table | a white chair next to a table
make the table round => a wooden chair next to a round table
make the chair metal => a metal chair next to a table [remove: wooden]
make it look old => an old wooden chair next to a table
make it plastic => a plastic chair next to a table

a small kitchen with white cabinets
make the kitchen larger => a large kitchen with white cabinets | a big kitchen with white cabinets
make the cabinets blue => a small kitchen with blue cabinets [remove: white; add: blue]
make the cabinets wooden ~> small kitchen, wooden, cabinets
make it a bathroom => a small bathroom with white cabinets
make it modern => a small modern kitchen with white cabinets | a modern small kitchen with white cabinets

a cat sitting on a window sill
make the cat orange => an orange cat sitting on a window sill
make it sleep => a cat sleeping on a window sill
make the cat fat => a fat cat sitting on a window sill
make it a tabby cat => a tabby cat sitting on a window sill
let the cat yawn ~> cat, yawning, window sill
have the cat stand up => a cat standing on a window sill | a cat standing up on a window sill
get the cat off the window sill ~> cat ! window sill
""",
    "with and without": """
a cup of coffee with a spoon on a saucer
without the spoon => a cup of coffee on a saucer [remove: spoon]
without a saucer => a cup of coffee with a spoon [remove: saucer]
with a cookie ~> cup of coffee, spoon, saucer, cookie [add: cookie]
with two spoons => a cup of coffee with two spoons on a saucer
with milk foam ~> cup of coffee, milk foam
no spoon => a cup of coffee on a saucer

a man in a suit and tie standing in front of a window
without a tie => a man in a suit standing in front of a window [remove: tie]
with glasses ~> man, suit, tie, glasses, window
with a beard ~> man, beard, suit, tie
with no tie => a man in a suit standing in front of a window
with a hat and sunglasses ~> man, suit, hat, sunglasses

a birthday cake with candles
without candles => a birthday cake [remove: candles]
with strawberries ~> birthday cake, strawberries
with blue icing and no candles ~> birthday cake, blue icing ! candles
with fewer candles ~> birthday cake, candles
""",
    "add": """
a living room with a couch and a television
add a lamp => a living room with a couch, a television and a lamp [add: lamp]
add a fireplace and a rug ~> living room, couch, television, fireplace, rug
add a plant next to the couch ~> living room, plant next to the couch
add two armchairs ~> living room, two armchairs
include a coffee table ~> living room, couch, coffee table
put a painting on the wall ~> living room, painting on the wall
place a vase on a table ~> living room, vase on a table

a horse standing in a field
add a rider => a horse with a rider standing in a field | a horse and a rider standing in a field
add another horse => two horses standing in a field
add a foal => a horse and a foal standing in a field | a horse with a foal standing in a field
add a saddle => a horse with a saddle standing in a field
add trees in the background => a horse standing in a field with trees in the background
add a fence behind the horse ~> horse, field, fence behind
also show a barn ~> horse, barn
there should be a farmer next to the horse ~> horse, farmer next to
needs a bridle ~> horse, bridle, field

a pizza on a wooden board
add olives => a pizza with olives on a wooden board
add some basil leaves => a pizza with some basil leaves on a wooden board |
    a pizza with basil leaves on a wooden board
add a glass of wine ~> pizza, glass of wine, wooden board
sprinkle cheese on it ~> pizza, cheese
""",
    "remove": """
a woman with a dog and a cat sitting on a bench
remove the cat => a woman with a dog sitting on a bench [remove: cat]
remove the dog and the cat => a woman sitting on a bench [remove: dog]
take away the dog => a woman with a cat sitting on a bench
get rid of the cat => a woman with a dog sitting on a bench
the cat is gone => a woman with a dog sitting on a bench
remove the woman ~> dog, cat, bench ! woman
delete the bench ~> woman, dog, cat ! bench
no animals ~> woman, bench ! dog, cat

a laptop, a mouse and a cup on a desk
remove the mouse => a laptop and a cup on a desk
remove the cup => a laptop and a mouse on a desk
only the laptop => a laptop on a desk | a laptop
remove everything but the laptop ~> laptop ! mouse, cup
take the cup off the desk ~> laptop, mouse, desk ! cup

a street with cars and people
no people => a street with cars [remove: people]
no cars => a street with people
without any people => a street with cars
remove all people and cars => a street
the street is empty ~> empty street

a cheese burger with fries on a plate
omit the fries => a cheese burger on a plate
exclude the fries => a cheese burger on a plate
drop the plate => a cheese burger with fries
""",
    "more and less": """
a vase with flowers on a table
more flowers ~> vase, many flowers/several flowers/more flowers, table
less flowers ~> vase, few flowers/flowers, table
more colorful flowers ~> vase, colorful flowers/colourful flowers, table
a lot more flowers ~> vase, many flowers/several flowers/lots of flowers/a lot of flowers
fewer flowers ~> vase, flowers, table

a herd of sheep on a green hill
more sheep ~> sheep, green hill
less sheep ~> sheep, green hill
only a few sheep => a few sheep on a green hill
less grass ~> sheep, hill

a plate of fries with ketchup
more ketchup ~> plate, fries, ketchup
less ketchup ~> plate, fries
no ketchup => a plate of fries

a man with short hair
more hair ~> man, hair
less muscular ~> man, short hair ! muscular
more muscular => a muscular man with short hair
""",
    "counts": """
a dog running on the beach
three dogs instead of one => three dogs running on the beach
two dogs => two dogs running on the beach
there are two dogs => two dogs running on the beach
add two more dogs => three dogs running on the beach
five dogs are in the picture => five dogs running on the beach
has a second dog => two dogs running on the beach | a dog with a second dog running on the beach
several dogs => several dogs running on the beach
a group of dogs => a group of dogs running on the beach
more than one dog ~> dogs, running on the beach
increase the number of dogs to four => four dogs running on the beach

three cups on a shelf
one cup => one cup on a shelf
just one cup => one cup on a shelf
only two cups => two cups on a shelf
remove one cup => two cups on a shelf
add one more cup => four cups on a shelf
a single cup => a single cup on a shelf | one cup on a shelf
reduce the number of cups to two => two cups on a shelf
many cups => many cups on a shelf
a dozen cups => a dozen cups on a shelf
twice as many cups => six cups on a shelf

two children playing with a ball
four children => four children playing with a ball
only one child => one child playing with a ball
one of the children is a girl ~> children, girl, ball
there is one less child => one child playing with a ball
a child and two balls ~> child, two balls
""",
    "colours": """
a white mug on a table
blue mug => a blue mug on a table
the mug is green => a green mug on a table [remove: white; add: green]
change the color of the mug to yellow => a yellow mug on a table
change the color to black => a black mug on a table
in red => a red mug on a table
paint the mug purple => a purple mug on a table
a darker color ~> mug, table ! white
make the mug white and blue => a white and blue mug on a table
turquoise => a turquoise mug on a table
the table is black => a white mug on a black table
the table should be brown => a white mug on a brown table
a different color ~> mug, table ! white

a parked black car with tinted windows
red car => a parked red car with tinted windows
silver instead of black => a parked silver car with tinted windows
not black => a parked car with tinted windows
any color but black => a parked car with tinted windows
metallic green ~> car, metallic green, tinted windows ! black

a bird with a yellow beak on a branch
the beak is orange => a bird with an orange beak on a branch
red beak => a bird with a red beak on a branch
blue feathers ~> bird, blue feathers, yellow beak
the bird is black => a black bird with a yellow beak on a branch
a bird with a black beak ~> bird, black beak ! yellow
""",
    "materials and patterns": """
a leather sofa in a living room
fabric instead of leather => a fabric sofa in a living room
make it velvet => a velvet sofa in a living room
a velvet sofa => a velvet sofa in a living room
the sofa is made of wood ~> sofa, living room, wood/wooden ! leather

a brown bag with a strap
made of leather => a brown leather bag with a strap
is made out of canvas => a brown canvas bag with a strap
with a metal chain instead of a strap => a brown bag with a metal chain
in snakeskin ~> bag, strap, snakeskin
with a floral pattern ~> floral, bag, strap

a striped tie
dotted => a dotted tie
polka dots instead of stripes => a polka-dotted tie | a polka dot tie | a tie with polka dots
no stripes => a plain tie
solid green => a plain green tie | a green plain tie | a solid green tie | a green tie
with a checkered pattern => a checked tie | a checkered tie
thinner stripes ~> tie, stripes/striped
paisley => a paisley tie
vertical stripes ~> tie, striped/stripes

a glass bottle with a label
a plastic bottle => a plastic bottle with a label
ceramic instead of glass => a ceramic bottle with a label
the label is green => a glass bottle with a green label
""",
    "poses and actions": """
a dog laying on a couch
standing => a dog standing on a couch
the dog is sitting => a dog sitting on a couch
sitting up straight => a dog sitting up straight on a couch | a dog sitting up straight
dog stands on the couch => a dog standing on the couch | a dog standing on a couch | dog stands on the couch
the dog sleeps => a dog sleeping on a couch
asleep => a dog asleep on a couch | an asleep dog laying on a couch | a sleeping dog laying on a couch
make the dog jump => a dog jumping on a couch | a dog jumping
the dog is playing with a ball ~> dog, playing with a ball
with its mouth open => a dog with its mouth open laying on a couch | a dog laying on a couch with its mouth open
sticking its tongue out ~> dog, sticking its tongue out/tongue
looking up => a dog laying on a couch looking up
looking to the left ~> dog, couch, looking to the left/facing left/looking left
eyes closed ~> dog, couch, eyes closed/closed eyes
the dog is awake ~> dog, couch, awake
curled up ~> dog, curled up, couch
on its back ~> dog, on its back, couch
facing away from the camera ~> dog, couch, facing away
has its head up ~> dog, head up
the dog is running through a field => a dog running through a field
wagging its tail ~> dog, couch, wagging its tail
not laying but standing => a dog standing on a couch
standing instead of laying down => a dog standing on a couch

a man standing on a surfboard
the man is falling off the surfboard ~> man, falling off
sitting on the surfboard => a man sitting on the surfboard | a man sitting on a surfboard
he is waving ~> man, waving, surfboard
riding a wave ~> man, riding a wave

two women standing next to each other
the women are hugging => two women hugging each other | two women hugging |
    two women hugging next to each other | two women standing next to each other hugging
dancing => two women dancing next to each other | two women dancing
make them sit at a table => two women sitting at a table
one woman is sitting ~> women/woman, sitting
holding hands ~> two women, holding hands
""",
    "backgrounds and scenes": """
a cow standing in a field
in a barn => a cow standing in a barn
on a beach => a cow standing on a beach
change the background to a forest ~> cow, forest
with mountains in the background => a cow standing in a field with mountains in the background
the background is white => a cow on a white background | a cow standing on a white background
white background ~> cow, white background
plain background ~> cow, plain background
in the snow => a cow standing in the snow
indoors => a cow standing indoors | a cow indoors
outside a house => a cow standing outside a house
replace the field with a road ~> cow, road ! field
put the cow in a stable => a cow standing in a stable | a cow in a stable
take it to a meadow ~> cow, meadow ! take
the cow is in the water ~> cow, in the water ! field
remove the background ~> cow ! background
blurry background ~> cow, blurry background/blurred background
there is a lake behind the cow ~> cow, lake
same cow in a city street => a cow standing in a city street | a cow in a city street
the field has flowers ~> cow, field, flowers
have green grass as the background ~> cow, green grass

a woman posing in front of a white wall
in front of a brick wall => a woman posing in front of a brick wall
in a garden => a woman posing in a garden
the wall is red => a woman posing in front of a red wall
change the wall to a curtain => a woman posing in front of a curtain
outdoors ~> woman, posing, outdoors ! wall
in a studio with a grey backdrop ~> woman, studio, grey backdrop ! wall
""",
    "whole pictures": """
a dog laying on a couch
a herd of elephants crossing a river => a herd of elephants crossing a river
show a bowl of fruit => a bowl of fruit
a picture of a lighthouse at sunset => a lighthouse at sunset
the target image is a cat in a basket => a cat in a basket
change to a snow covered mountain => a snow covered mountain
I want to see a boat on a lake => a boat on a lake
there are three zebras drinking at a water hole => three zebras drinking at a water hole
please show two penguins on ice => two penguins on ice
find an image of a boy flying a kite => a boy flying a kite
completely different scene, a kitchen with a stove => a kitchen with a stove
the image shows an old castle on a hill => an old castle on a hill
should show a man feeding birds in a park => a man feeding birds in a park
the photo is of a plate of sushi => a plate of sushi
displays a row of bottles on a shelf => a row of bottles on a shelf
another dog of the same breed jumping over a log => a dog jumping over a log
a different dog on a leash ~> dog, on a leash/leash
""",
    "viewpoint and zoom": """
a lion walking in the grass
close-up => a close-up of a lion walking in the grass
closeup of the lion's face ~> lion's face/face of a lion/face, close-up/closeup/lion
zoom in on the head ~> lion, head
zoomed out ~> lion, grass
from above => a lion walking in the grass seen from above
seen from the side => a lion walking in the grass seen from the side
side view ~> lion, grass, side
front view ~> lion, front
taken from behind ~> lion, grass, from behind/behind
show it from farther away ~> lion, grass ! show
closer => a close-up of a lion walking in the grass
aerial view ~> lion, aerial view/seen from above
bird's eye view ~> lion, bird's eye view/seen from above
only the head is visible ~> lion, head
the lion is closer to the camera ~> lion, grass, close
full body shot ~> lion, full body/whole
from a low angle ~> lion, low angle/seen from below
the camera is further away ~> lion, grass
show the whole body ~> lion, whole body/full body
cropped tighter ~> lion
upside down ~> lion, upside down/upside-down
facing the other direction ~> lion, walking
facing right instead of left ~> lion, facing right ! left
""",
    "style of the picture": """
a house next to a lake
a painting => a painting of a house next to a lake
as a painting => a painting of a house next to a lake
make it a drawing => a drawing of a house next to a lake
in black and white => a house next to a lake in black and white
black and white photo => a house next to a lake in black and white
a sketch instead of a photo => a sketch of a house next to a lake
in watercolour ~> house, lake, watercolour/watercolor
a cartoon version => a cartoon of a house next to a lake
cartoon style ~> house, lake, cartoon
vintage photo ~> house, lake, vintage
the picture is blurry ~> house, lake, blurry
turn it into an oil painting => an oil painting of a house next to a lake
pixel art ~> house, lake, pixel art
sepia ~> house, lake, sepia
brighter image ~> house, lake, bright
darker picture ~> house, lake, dark
higher contrast ~> house, lake

a drawing of a cat
a photo instead of a drawing => a cat | a photo of a cat
in colour ~> cat, colour/color/colourful/colorful
a drawing of a dog => a drawing of a dog | a dog
""",
    "comparatives": """
a short brown dress with a belt
longer => a long brown dress with a belt
is longer and darker => a long dark brown dress with a belt
lighter => a short light brown dress with a belt
much longer ~> long, brown dress, belt ! short
a thinner belt => a short brown dress with a thin belt
slightly lighter in color => a short light brown dress with a belt
tighter ~> brown dress, belt, tight/fitted/form-fitting

a tall building next to a river
taller ~> tall building, river
shorter building => a short building next to a river
older => an old tall building next to a river | a tall old building next to a river
wider river => a tall building next to a wide river
more modern ~> modern, building, river
the building is smaller => a small building next to a river | a small tall building next to a river

a small dog on a leash
bigger => a big dog on a leash | a large dog on a leash
larger dog => a large dog on a leash | a big dog on a leash
fluffier => a fluffy small dog on a leash | a small fluffy dog on a leash
longer leash => a small dog on a long leash
older dog => an old small dog on a leash | a small old dog on a leash
more playful => a playful small dog on a leash | a small playful dog on a leash
""",
    "FashionIQ": """
a woman wearing a black dress
is red and has long sleeves => a woman wearing a red dress with long sleeves
is shorter and has a belt => a woman wearing a short black dress with a belt
has thin straps ~> woman, black dress, thin straps
is more revealing and has lace ~> woman, revealing, black, dress, lace
is blue with white flowers ~> woman, blue dress, white flowers ! black
has a v-neck and is longer => a woman wearing a long black dress with a v-neck
is strapless and floor length ~> woman, strapless, floor-length/floor length, black, dress
is a solid green color => a woman wearing a plain green dress | a woman wearing a green dress |
    a woman wearing a solid green dress
is more elegant => a woman wearing an elegant black dress
has a lower neckline ~> woman, black dress, low neckline
is less formal ~> woman, black, dress ! formal

a man wearing a grey t-shirt with a logo
is blue with a larger logo => a man wearing a blue t-shirt with a large logo |
    a man wearing a blue t-shirt with a big logo
is a button down shirt with long sleeves ~> man, button-down/button down, shirt, long sleeves ! t-shirt
has a picture of a skull ~> man, grey t-shirt, skull
is plain white and no logo => a man wearing a plain white t-shirt | a man wearing a white plain t-shirt |
    a man wearing a white t-shirt
has a different logo ~> man, grey t-shirt, logo
has red lettering ~> man, grey t-shirt, red lettering
is darker in color and has stripes ~> man, dark, striped/stripes, t-shirt
has a hood and long sleeves ~> man, hood, long sleeves
is a tank top => a man wearing a grey tank top with a logo
is more colorful and has a print ~> man, colorful/colourful, print/patterned

a pink blouse
has ruffles and short sleeves => a pink blouse with ruffles and short sleeves |
    a pink blouse with short sleeves and ruffles
is sheer and sleeveless ~> sheer, sleeveless, pink, blouse
has 3/4 sleeves => a pink blouse with 3/4 sleeves
is white and black striped ~> white and black, striped/stripes, blouse ! pink
is cropped with a collar ~> cropped, pink blouse, collar
it is brighter and has one shoulder ~> bright, one-shouldered/one shoulder, pink
""",
    "negations": """
a dog with a collar laying on a red blanket
no collar => a dog laying on a red blanket [remove: collar]
not red ~> dog, collar, blanket ! red
is not on a blanket ~> dog, collar ! blanket
doesn't have a collar => a dog laying on a red blanket
the dog is not wearing a collar => a dog laying on a red blanket
the blanket is not red => a dog with a collar laying on a blanket
no longer laying ~> dog, collar ! laying
the dog is not laying down anymore ~> dog, collar ! laying
do not show the blanket ~> dog, collar ! blanket
nothing in the background ~> dog ! nothing
no people in the picture ~> dog, blanket ! people

a market with people and stalls
nobody is in the market => a market with stalls
there are no stalls => a market with people [remove: stalls]
no one there ~> market, stalls ! people
not so many people ~> market, stalls
""",
    "same but": """
a blue bicycle leaning against a wall
same but red => a red bicycle leaning against a wall
the same but with a basket => a blue bicycle with a basket leaning against a wall
same bike but in a garage => a blue bicycle in a garage | a blue bicycle leaning in a garage |
    a blue bike in a garage | a blue bike leaning in a garage
the same bicycle in green => a green bicycle leaning against a wall
similar but smaller => a small blue bicycle leaning against a wall
same thing without the wall ~> blue bicycle ! wall
exactly the same, but the wall is yellow => a blue bicycle leaning against a yellow wall
like this but with two bicycles => two blue bicycles leaning against a wall
same wall, red bicycle => a red bicycle leaning against a wall
keep the wall but make the bicycle black => a black bicycle leaning against a wall [keep: wall]
everything stays, only the bicycle is white => a white bicycle leaning against a wall
""",
    "two edits": """
a brown horse standing in a field
make the horse white and put it on a beach => a white horse standing on a beach | a white horse on a beach
change the horse to a donkey and add a cart ~> brown donkey, cart ! horse
remove the field and add a barn ~> brown horse, barn ! field
two horses, running ~> two, horses, running
a black horse, and it is jumping => a black horse jumping in a field | a black horse jumping
add a saddle, change the color to grey ~> grey horse, saddle ! brown
is white, has a bridle and stands in snow => a white horse with a bridle standing in snow
in a stable with hay ~> brown horse, stable, hay ! field
the horse is galloping and there is dust ~> brown horse, galloping, dust
make it winter and add a rider ~> brown horse, rider, winter
zoom in and make it black and white ~> horse, close-up, black and white
replace the horse with a cow, and the field with a yard => a brown cow standing in a yard
change the horse to a zebra, the grass is dry ~> zebra, dry grass ! horse

a table with two chairs and a lamp
remove the lamp and add a third chair => a table with three chairs
make the table round and the chairs red => a round table with two red chairs and a lamp
four chairs and no lamp => a table with four chairs
glass table with white chairs ~> glass table, white chairs
replace the lamp with a candle and the chairs with a bench => a table with a bench and a candle |
    a table with a candle and a bench
""",
    "positions": """
a cat next to a dog
the cat is on top of the dog ~> cat, on top of, dog
put the cat under a chair ~> cat, under a chair
the dog is behind the cat ~> dog, behind, cat
a bowl between the cat and the dog ~> bowl between, cat, dog
the cat is inside a box ~> cat, inside a box
swap the cat and the dog ~> cat, dog
the cat lies beside the dog ~> cat, beside, dog

a boat on the water
near the shore ~> boat, near the shore
the boat is under a bridge ~> boat, under a bridge
place the boat on the sand ~> boat, on the sand ! place
in the middle of the ocean => a boat in the middle of the ocean
a bird above the boat ~> boat, bird above
next to a pier => a boat next to a pier | a boat on the water next to a pier
to the left of a lighthouse ~> boat, left of a lighthouse
""",
    "writing and logos": """
a white t-shirt
add the word "love" ~> white t-shirt, love
with a red logo on the chest => a white t-shirt with a red logo on the chest
with text that says hello ~> white t-shirt, hello
has a star on the front => a white t-shirt with a star on the front
has the number 7 on it ~> white t-shirt, number 7
with a graphic print => a white t-shirt with a graphic print | a white graphic t-shirt
the logo is smaller ~> t-shirt, small logo
has writing on the back => a white t-shirt with writing on the back

a street sign on a pole
the sign says stop ~> sign, says stop/stop, pole
a sign that reads "open" ~> sign, open
the text on the sign is red ~> sign, pole, red
remove the text ~> street sign, pole ! text
a sign with an arrow => a sign with an arrow on a pole | a street sign with an arrow on a pole |
    a sign with an arrow
in another language ~> street sign
""",
    "people": """
a young woman with long hair smiling
an old woman => an old woman with long hair smiling
older => an old woman with long hair smiling
with short hair => a young woman with short hair smiling
the hair is blonde => a young woman with long blonde hair smiling
blonde => a young blonde woman with long hair smiling | a blonde young woman with long hair smiling |
    a young woman with long blonde hair smiling
not smiling => a young woman with long hair
two women => two young women with long hair smiling
a boy => a young boy with long hair smiling | a boy with long hair smiling
wearing a hat => a young woman with long hair smiling wearing a hat |
    a young woman with long hair wearing a hat smiling | a young woman with long hair and a hat smiling |
    a young woman with long hair wearing a hat
wearing glasses instead of smiling ~> young woman, long hair, glasses ! smiling
the woman is holding a baby ~> woman, long hair, holding a baby
add a man next to her ~> woman, man next to
curly hair ~> young woman, curly ! straight
she wears a red coat ~> young woman, red coat
crying instead of smiling => a young woman with long hair crying
with braids ~> young woman, braids

a group of people sitting around a table
fewer people ~> people, table
only men => a group of men sitting around a table | men sitting around a table
children instead of people ~> children, sitting around a table ! people
the people are standing ~> people, standing, table ! sitting
two people => two people sitting around a table
a family eating dinner ~> family eating dinner
everyone wears a suit ~> suit
""",
    "weather and time of day": """
a street with parked cars
at night => a street with parked cars at night
in the rain => a street with parked cars in the rain
covered in snow ~> street, cars, covered in snow
at sunset => a street with parked cars at sunset
make it night ~> street, parked cars, night
make it rainy ~> rainy, street, cars
during the day ~> street, cars, day
in winter => a street with parked cars in winter
foggy ~> street, foggy, cars
sunny weather ~> street, sunny
it is snowing ~> street, cars, snow/snowing
change day to night ~> street, cars, night
wet street ~> wet street, parked cars
in autumn with fallen leaves ~> street, autumn, fallen leaves

a beach with umbrellas
sunset, no umbrellas ~> beach, sunset ! umbrellas

a blue sky over a city
cloudy sky ~> cloudy, sky, city
the sky is orange ~> orange sky, city ! blue
a stormy sky => a stormy sky over a city | a stormy blue sky over a city
with a rainbow ~> sky, rainbow, city
sunrise ~> city, sunrise
""",
    "animals": """
a brown dog with floppy ears
pointed ears ~> brown dog, pointed ears ! floppy
a poodle => a brown poodle with floppy ears | a poodle
a puppy instead of an adult dog => a brown puppy with floppy ears
different breed ~> dog, ears
is a black labrador ~> black labrador ! brown
has spots ~> dog, spots/spotted
with white paws ~> brown dog, floppy ears, white paws
longer fur => a brown dog with floppy ears and long fur | a brown dog with long fur and floppy ears
carrying a stick => a brown dog with floppy ears carrying a stick
on a leash => a brown dog with floppy ears on a leash
wearing a sweater ~> brown dog, floppy ears, sweater
shaved ~> shaved, dog, ears
next to its owner ~> brown dog, next to its owner
a dog show with many dogs ~> dogs

a flock of birds flying over the sea
a single bird => a single bird flying over the sea | one bird flying over the sea
the birds are sitting on a rock => a flock of birds sitting on a rock | birds sitting on a rock
seagulls => a flock of seagulls flying over the sea | seagulls flying over the sea
over a city instead of the sea => a flock of birds flying over a city
""",
    "food": """
a slice of chocolate cake on a white plate
a whole cake => a whole cake on a white plate | a whole chocolate cake on a white plate
vanilla instead of chocolate => a slice of vanilla cake on a white plate
cheese cake ~> cake, white plate ! chocolate
two slices => two slices of chocolate cake on a white plate
on a black plate => a slice of chocolate cake on a black plate
with whipped cream on top ~> slice of chocolate cake, whipped cream on top
half eaten ~> half eaten/half-eaten, cake
a fork next to it ~> chocolate cake, fork next to
served in a bowl ~> chocolate cake, bowl
cut into pieces ~> chocolate cake, cut into pieces/pieces

a bowl of vegetables
chopped => a bowl of chopped vegetables
more tomatoes ~> bowl, tomatoes
only carrots => a bowl of carrots
filled with fruit ~> bowl, fruit
the bowl is empty ~> empty bowl ! vegetables
a smaller bowl => a small bowl of vegetables
steaming hot ~> bowl, vegetables, hot
""",
    "vehicles and rooms": """
a yellow bus driving down a city street
a double decker bus ~> double decker/double-decker, bus, driving down a city street
the bus is parked ~> yellow bus, parked ! driving
at a bus stop ~> yellow bus, at a bus stop
crossing a bridge => a yellow bus crossing a bridge
full of people ~> yellow bus, full of people
an old bus => an old yellow bus driving down a city street | an old bus driving down a city street
facing left ~> yellow bus, facing left
two buses in a row ~> two, buses, in a row
with its doors open ~> yellow bus, doors open

a bedroom with a large bed and a window
bunk beds ~> bedroom, bunk beds, window
white curtains ~> bedroom, bed, white curtains
two single beds ~> bedroom, two single beds, window ! large
the bed is unmade ~> bedroom, unmade, bed
paint the walls green ~> bedroom, bed, green walls
no window => a bedroom with a large bed
a messy room ~> messy
wooden floor instead of carpet ~> bedroom, wooden floor ! carpet
more light ~> bedroom, bed, light
the bed is next to the window ~> bedroom, bed, next to
an open window => a bedroom with a large bed and an open window
blue bedding ~> bedroom, bed, blue bedding
hang a mirror over the bed ~> bedroom, mirror over the bed
""",
    "questions and manners": """
a black backpack
could you show it in green? => a green backpack
please make it red, thanks! => a red backpack
do you have one with side pockets? => a black backpack with side pockets
I'd like a smaller one => a small black backpack
what about blue? => a blue backpack
can I see the same in leather? => a black leather backpack
maybe with two straps ~> black backpack, two straps
I am looking for something like this but in white => a white backpack
show me something less sporty ~> black, backpack ! show
ok, now with a red zipper => a black backpack with a red zipper
hmm, brown would be nice => a brown backpack
should have more pockets ~> black backpack, pockets
try it without pockets => a black backpack
give me this one in pink => a pink backpack
""",
    "nonsense and other languages": """
a dog laying on a couch
asdf qwer ~> dog, couch
??? => a dog laying on a couch
plus grand ~> dog, couch
ein roter Hund ~> dog/Hund
1234567 ~> dog
the => a dog laying on a couch
make => a dog laying on a couch
instead of => a dog laying on a couch
and and and => a dog laying on a couch
更大的狗 ~> dog, couch
<b>blue</b> ~> dog, couch
n/a ~> dog, couch
change nothing => a dog laying on a couch
keep it as it is => a dog laying on a couch
""",
    "in passing": """
a dog laying on a couch
there are three cats instead of a dog and a rug instead of a couch => three cats laying on a rug
close the curtains behind the dog ~> dog, couch, closed curtains ! close-up
the dog is on the floor and there is a bone next to it ~> dog, on the floor, bone next to it
as above but sleeping => a dog sleeping on a couch

a train at a station
remove the station and make the train older => an old train
make the train longer and newer => a long new train at a station
the train is further away and there is snow on the tracks ~> train, station, snow on the tracks
attach two wagons to the train ~> train, two wagons

a laptop on a desk
the desk is tidier than before ~> laptop, desk
should be a tablet rather than a laptop => a tablet on a desk
fold the laptop => a folded laptop on a desk | a laptop folded on a desk
line up three phones on the desk ~> laptop, three phones

a pair of black shoes
the laces are white ~> pair of black shoes, white laces
worn by a child => a pair of black shoes worn by a child
of the same colour but with buckles => a pair of black shoes with buckles
""",
    "all of the target": """
nine tvs on a shelf
a picture of six different old TVs instead of nine identical => six old tvs |
    six old tvs on a shelf [remove: nine identical]
a photo of three radios => three radios
an image of two men repairing a television => two men repairing a television [remove: tvs]
five different TVs on a gray background instead of a picture of nine TVs => five tvs on a gray background

a plate of food with meat and vegetables
there was a white cup with a brown label - now a tall burgundy cup with stars ~> tall burgundy cup, stars ! meat
there were two spoons, and now there is a fork with a wooden handle => a fork with a wooden handle
goes from a bowl of fruit to a glass jar with cookies ~> glass jar with cookies ! meat, vegetables
there was meat, now fish => a plate of food with vegetables and fish | a plate of food with fish and vegetables |
    a plate of food with vegetables and a fish

a dog on a leash
Pet in blue shirt pets dog. ~> blue shirt, dog ! leash
ride in red helmet rides along the beach ~> red helmet, beach ! leash, riding in
a picture of a puppy sleeping in a basket => a puppy sleeping in a basket

a monkey in the woods
More primates and standing on a road instead of the woods => several primates standing on a road |
    several monkeys standing on a road
two monkeys and sitting on a fence instead of the woods => two monkeys sitting on a fence

a syringe
Two siringes instead of one, one has its cap ~> two, syringes/siringes, one with its cap
two syringes instead of one, one has its cap => two syringes, one with its cap
three syringes instead of one, all of them are blue => three blue syringes
""",
    "counts stated": """
three dogs
Three dogs have become one => one dog
Three dogs have become one big dog in the grass ~> one, big dog, grass ! three
Three dogs have become one and many objects have come around it. => one dog with many objects around it
Three dogs have become two and they are running => two dogs running
one of the dogs has a collar => three dogs, one with a collar
Two more dogs and several more people => five dogs and several people
several more dogs => several dogs
a few more dogs => a few dogs

four ducks on a pond
Four ducks have become one in number and the fish is a new addition. => one duck and a fish on a pond
four ducks were reduced to two, they are swimming => two ducks swimming on a pond
one of them is brown => four ducks on a pond, one brown

three monkeys on a rock
Leave only one looking to the right => one monkey on a rock looking to the right
leave only two of the monkeys eating a banana => two monkeys eating a banana on a rock |
    two monkeys on a rock eating a banana
keep only one sleeping => one monkey sleeping on a rock
leave only one monkey running => one monkey running on a rock
Four monkeys instead of three, one of them has its mouth open => four monkeys on a rock, one with its mouth open

two laptops
Remove two of the laptops => laptops
several more people => two laptops with several people

three cups on a shelf
remove three cups => a shelf [remove: cups]
remove two of the cups => one cup on a shelf

a group of people in a room
Reduce the number of people in the image to one man wearing a flatcap ~> one man, flatcap, room ! people
""",
    "leftovers": """
a crate of hamsters
Shows a crate of hamsters with various, but similar fur colors. => a crate of hamsters
two hamsters of the same eye color => two hamsters
two hamsters with different fur colors => two hamsters with various fur colors

a bus on a street
Bus has a canopy in dark green added to it => a bus with a canopy in dark green on a street
the target photo has the same mirror added to it => a bus with a mirror on a street
a ladder is added to it => a bus with a ladder on a street
bus has a red roof => a bus with a red roof on a street
the bus seems longer => a long bus on a street

a coffee machine
coffee machines seems smaller => a small coffee machine
the coffee machine appears to be older => an old coffee machine

a room with a table
Add a closet and take shot from another angle. => a room with a table and a closet
add a chair and take the picture from a different angle => a room with a table and a chair
add a lamp in front of left, back and center wall ~> table, lamp in front of left back and center wall
add two curtains and spread them in both directions ~> two curtains ! spread them
add a carpet and roll it up ~> table, carpet ! roll it
flip it over => a room with a table

a bottle of cola
Different brand, different bottle shape => a bottle of cola
different label design, red cap ~> bottle of cola, red cap ! design
add a straw, no glass in sight => a bottle of cola with a straw [remove: glass]

bottles in a box
bottles full, no cardboard box in sight => full bottles [remove: cardboard box]
Bottles must be full, no cardboard box in sight and must include people in background ~> full bottles, people
label removed, bottles bigger => big bottles in a box

a lamp on a desk
fold it and put it on the table => a folded lamp on the table

a woman wearing a black dress
a picture of a red dress with long sleeves => a woman wearing a red dress with long sleeves
the dress has a belt added to it => a woman wearing a black dress with a belt

two dogs on grass
they both have something in their mouths => two dogs with something in their mouths on grass
rabbit removed, dogs smaller ~> two small dogs ! rabbit
""",
    "dialogues": """
a white shirt with a collar
make it blue => a blue shirt with a collar
> remove the collar => a blue shirt [remove: collar]
> add a pocket => a blue shirt with a pocket
> now in green => a green shirt with a pocket [remove: blue]
> put the collar back => a green shirt with a pocket and a collar | a green shirt with a collar and a pocket

a man sitting on a bench
with a dog ~> man, dog, bench
> the dog is black ~> man, black dog, bench
> make it two dogs ~> man, two black dogs, bench
> in the snow ~> man, dogs, snow
> remove the dogs ~> man, snow ! dogs

a bowl of fruit on a table
only apples => a bowl of apples on a table
> green ones => a bowl of green apples on a table
> a basket instead of a bowl => a basket of green apples on a table
> on the floor => a basket of green apples on the floor

a car parked on a street
is a red convertible => a red convertible parked on a street
> at night => a red convertible parked on a street at night
> actually, make it blue => a blue convertible parked on a street at night
> with its lights on ~> blue convertible, night, lights on
> during the day instead ~> blue convertible, day ! night
""",
}

KNOWN_TO_FAIL = {
    "looks": """
a parked black car with tinted windows
the car is two-toned in red and white ~> car, red and white ! black

a drawing of a cat
make it a real cat => a real cat

a woman wearing a black dress
is a cold shoulder dress ~> woman, cold-shoulder/cold shoulder, black, dress
has longer sleeves and a shorter skirt ~> woman, black dress, long sleeves

a red bus on a road
make the bus white with a blue stripe => a white bus with a blue stripe on a road
the windows of the bus are broken => a red bus with broken windows on a road
""",
    "actions and states": """
a man standing on a surfboard
carrying the surfboard => a man carrying the surfboard | a man carrying a surfboard

a man riding a horse
the man has dismounted ~> man, horse ! riding
increase the size of the horse ~> man riding, big horse/large horse

a bottle of water on a table
the bottle has been opened ~> open bottle/opened bottle, water, table
pour the water into a glass ~> water, glass, table

a bird on a branch
its wings are spread ~> bird, branch, wings

a dog on a leash
unleash the dog => a dog
Pet in blue shirt pets dog. => a pet in a blue shirt petting a dog

a man with a beard
shave the beard => a man
age the man by twenty years ~> old, man, beard ! twenty

a beach with umbrellas
crowd the beach with people ~> beach, umbrellas, people ! and a beach
""",
    "things": """
a dog laying on a couch
swap the positions of the dog and the cushion ~> dog, cushion ! positions
a dog sleeping, and the couch is red ~> dog, red couch
add two birds and spread them in both directions ~> dog, two birds, couch
color and pattern is different => a dog laying on a couch

a cat in a basket
the basket is made of straw and the cat wears a bow ~> cat, basket, bow ! wears

a pair of black shoes
one shoe only => one black shoe
""",
}
