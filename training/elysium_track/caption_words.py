"""English words of captions, as data. What commands are made of is in `vitron_ros.grounding.lexicon`.

The paper filters by such lists, and does not give them.
"""

from vitron_ros.grounding.lexicon import MODIFYING_VERBS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ARTICLES = _words("a an the this that some any each every another either")
"""Left out at the beginning of a phrase."""
BOUNDARIES = _words("""
    along across around round against among amongst amid above below behind before after beside besides between beyond
    during inside outside near nearby next through throughout toward towards underneath beneath upon within until since
    while when where because though although via per like during past opposite alongside together away back forward
    backward there here not never always often sometimes soon later once twice
""")
"""Where a noun phrase ends, beside the function words of commands."""
VERBS = _words("""
    walks runs sits stands holds rides plays eats drinks drives flies swims jumps moves turns looks watches talks speaks
    smiles laughs dances sings cooks cuts pours puts takes makes gives gets goes comes waits works reads writes draws
    paints throws catches kicks hits pushes pulls opens closes carries wears shows points touches feeds washes cleans
    climbs crosses enters leaves falls rises rolls spins rotates slides floats lies sleeps rests hangs leans bends
    appears disappears returns hides follows chases faces covers shakes waves claps hugs kisses types uses checks picks
    drops lifts places sets fills passes parks stops starts begins says tells asks has have had seen sat sits
    stays remains grows shrinks glides drifts bounces swings flows burns blows shines barks hunts grazes crawls hops
    walk run sit hold play eat drink drive swim jump talk speak smile laugh dance sing throw catch kick push pull
    carry wear climb enter leave fall rise appear disappear return hide chase sleep lie go come get give make
    take put is are
""")
"""Finite verbs that captions have, by their form."""
PARTICIPLES = frozenset(MODIFYING_VERBS) | _words("""
    seen driven shown made worn held lit taken given drawn broken frozen hidden woven grown blown thrown cut built hung
""")
NOT_PARTICIPLES = _words("""
    building ceiling clothing painting wedding evening morning string spring swing sling railing icing duckling
    dumpling pudding gosling seedling lightning earring keyring wing king ring thing crossing parking sibling sterling
    seed speed weed breed steed hundred shed sled bobsled bed toboganned tweed reed moped biped quadruped
    family fly butterfly dragonfly jelly belly lily ally bully assembly anomaly supply reply trolley gully holly
    friendly elderly lovely early curly woolly ugly silly
""")
"""Words in -ing, -ed and -ly that are neither participles nor adverbs."""
ADVERBS = _words("very quite too also almost just still even slow-motion outdoors indoors upstairs downstairs")
ADJECTIVES = _words("""
    young old elderly little big tall short long small large huge tiny beautiful pretty handsome happy sad cute lovely
    friendly curly bright dark light new ancient modern traditional wooden wild domestic fresh dry wet clean dirty empty
    full open closed single lonely alone busy quiet calm adult male female asian african american european caucasian
    chinese japanese indian russian french senior professional blonde blond bald pregnant attractive cheerful serious
    colorful colourful golden snowy sandy rocky sunny cloudy rainy stormy aerial panoramic static slow fast high low
    wide narrow deep flat round thick thin heavy soft hard hot cold warm cool ripe raw green blue red fluffy furry
    striped dotted checked plain shiny silly ugly early woolly upper lower own same other different various several
    front rear left right middle upset tired hungry still close
""")
COLLECTIVES = _words("""
    family people group crowd team couple pair herd flock audience police staff cattle bunch set collection series
    row line pack swarm band crew class army party traffic furniture clothing luggage jewelry jewellery hair
""")
"""Nouns in the singular that are more than one thing."""
ABSTRACT = _words("""
    time love wind life nature beauty fun joy happiness freedom peace hope fear power energy success business work job
    idea concept theme style fashion art music song sound noise voice sport game travel vacation holiday journey trip
    adventure celebration christmas birthday day night morning evening afternoon sunset sunrise dawn dusk noon week
    month year season summer winter spring autumn weather air light lighting sunlight darkness shadow reflection rain
    snow fog mist smoke fire steam heat sky horizon space world earth ground view shot footage video film movie clip
    scene animation timelapse time-lapse motion slow-motion movement background foreground closeup close-up angle
    distance front rear side top bottom left right middle center centre edge corner end part half piece kind type sort
    way direction speed rest place area region zone location city town village country street landscape seascape
    cityscape nightlife environment interior exterior home health care education science technology industry
    production process activity action event performance show competition training exercise practice meeting
    conversation communication research study medicine economy finance finances money news information data internet
    water sea ocean beach river lake forest field park garden mountain hill valley desert room kitchen office
    camera
""")
"""What cannot be boxed, has no outline of its own, or is the place itself."""
