"""Ways to store weights in fewer bits, or in another file format."""

METHODS = {  # name: module and class, loaded when it is asked for
    "gguf": "gguf:GgufQuantization",
    "bitsandbytes": "bitsandbytes:BitsAndBytes",
    "rtn": "rtn:RoundToNearest",
    "gptq": "gptq:Gptq",
}
