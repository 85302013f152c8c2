"""The words that the code of `offconvex.holdout.razor.description` knows; the page's form holds the same lists.

Each list has a power of two of entries, so that every word of a list costs the same whole number of bits.
"""

WORDS = tuple(
    """
    absolute activation adam add after all and angle apply architecture as at augment average axis batch before
    begin best bias binary bit block boost both bottom by cell center change channel class classifier clip
    compute concatenate constant contrast convolution copy cosine count crop cross cross_entropy data decay
    decrease deep default define delta dense depth descent deviation difference distribution divide double drop
    dropout during each early else end ensemble epochs equal error even every example except expectation
    exponential factor fan_in fan_out feature filter final first fit flip for forward from full function gain
    gate gauss generate global gradient grid group half height hidden hinge horizontal if image images in
    increase init initialize inner input inverse iterations keep kernel label labels last layer layers learn
    least left length level linear local logistic loss map margin matrix maximum mean median memory minimum
    model momentum multiply nearest negative network neuron noise norm normalize number of offset on one or
    order original orthogonal output over pad parameter part patch path per pixel pixels pool positive power
    previous probability product project random range rate ratio reduce regularize repeat replace rescale resize
    rest reverse right root rotate round row same sample scale schedule second seed select set sgd shape share
    shift shuffle side sigmoid sign size skip small smooth softmax split square squared standard start state
    step steps stop stride subtract sum target test then threshold times to top train transform transpose two
    uniform unit update upper validation value variance vector vertical vote weight weights where whiten width
    window with without zero zeros
    """.split()
)
"""Words of a phrase: 256, 8 bits each."""

SYMBOLS = tuple("+ - * / ^ = ( ) [ ] , ; : < > | abs".split()) + tuple(
    "argmax cos exp floor gauss log max mean min sign sin sqrt sum uniform var".split()
)
"""Symbols of an equation: 32, 5 bits each."""

LAYERS = tuple(
    """
    add average avgpool batchnorm channels concat conv crop dense dropout embed flatten from global groups
    identity input kernel max maxpool multiply norm pad recurrent relu repeat reshape sigmoid softmax stride
    tanh upsample
    """.split()
)
"""Nodes of a graph and their modifiers: 32, 5 bits each."""

ALPHABETS = {"phrase": WORDS, "equation": SYMBOLS, "graph": LAYERS}
"""Words by type of expression."""
