"""Ways to store weights in fewer bits, or in another file format."""

METHODS = {  # name: module and class, loaded when it is asked for
    "awq": "awq:Awq",
    "bitsandbytes": "bitsandbytes:BitsAndBytes",
    "gguf": "gguf:GgufQuantization",
    "gptq": "gptq:Gptq",
    "rtn": "rtn:RoundToNearest",
    "smoothquant": "smoothquant:SmoothQuant",
    "static": "static:StaticScales",
}
