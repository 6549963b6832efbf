"""Architectures that have one layout alone."""

PUBLISHED_ALONE: frozenset[str] = frozenset(
    (
        *("apertus", "arcee", "bamba", "bert", "bert-generation", "big_bird", "biogpt", "bitnet"),
        *("blenderbot-small", "bloom", "camembert", "codegen", "cohere", "cohere2", "ctrl", "cwm", "data2vec-text"),
        *("diffllama", "doge", "electra", "ernie", "ernie4_5", "exaone4", "falcon", "falcon_h1", "falcon_mamba"),
        *("gemma", "gemma2", "gemma3_text", "gemma4_text", "gemma4_unified_text", "glm", "glm4", "gpt2"),
        *("gpt_bigcode", "gpt_neo", "gpt_neox_japanese", "gpt_oss", "gptj", "granite", "granite_swa"),
        *("granitemoe_swa", "helium", "hunyuan_v1_dense", "hyperclovax", "inkling_text", "internlm3", "iquestcoder"),
        *("jais2", "jetmoe", "lfm2", "llama", "llama4_text", "mamba", "mamba2", "megatron-bert", "minicpm3"),
        *("minimax_m3_vl_text", "ministral", "ministral3", "mistral", "modernbert-decoder", "moshi", "mpt"),
        *("nanochat", "nemotron", "olmo", "olmo2", "olmo3", "openai-gpt", "opt", "persimmon", "phi", "phi3"),
        *("qwen2", "qwen3", "recurrent_gemma", "rembert", "roberta", "roberta-prelayernorm", "roformer", "rwkv"),
        *("seed_oss", "smollm3", "stablelm", "starcoder2", "vaultgemma", "xglm", "xlm-roberta", "xlm-roberta-xl"),
        *("xlnet", "xlstm", "xmod", "youtu"),
    )
)
"""Causal language models that transformers 5.23 writes under the same names and in the same bytes either way."""
