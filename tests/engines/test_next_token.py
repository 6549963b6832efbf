"""Encoders open as language models in transformers and see what they would predict: they are refused."""

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertLMHeadModel, BertModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from lineal.engines.inference.language_model import load_model
from lineal.engines.inference.next_token import no_next_token
from lineal.engines.train.from_scratch import config_of, random_model
from lineal.errors import CheckpointError, MethodError

SIZES = {
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 16,
}


def sees_what_follows(model):
    """Whether the prediction at the first token depends on the last one."""
    with torch.inference_mode():
        one, other = (model.eval()(torch.tensor([[1, 2, last]])).logits[0, 0] for last in (3, 4))
    return not torch.equal(one, other)


@pytest.mark.parametrize("kind", [BertModel, BertForMaskedLM])
def test_an_encoder_is_refused(tmp_path, kind):
    kind(BertConfig(**SIZES)).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"a bert without is_decoder in its config is an encoder, .* need one"):
        load_model(tmp_path)


def test_a_decoder_of_the_same_architecture_is_a_language_model(tmp_path):
    assert sees_what_follows(BertLMHeadModel(BertConfig(**SIZES)))
    model = BertLMHeadModel(BertConfig(**SIZES, is_decoder=True))
    model.save_pretrained(tmp_path)
    assert not sees_what_follows(load_model(tmp_path))


def test_no_encoder_is_trained_from_scratch():
    with pytest.raises(MethodError, match="train: config: a bert without is_decoder"):
        random_model(config_of({"model_type": "bert", **SIZES}))


def test_an_architecture_without_a_causal_language_model_is_named():
    assert "no causal language model of the architecture distilbert" in (
        no_next_token({"model_type": "distilbert"}) or ""
    )


def test_all_others_are_causal_language_models():
    refused = {kind for kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES if no_next_token({"model_type": kind})}
    assert refused == {
        *("bert", "bert-generation", "big_bird", "camembert", "data2vec-text", "electra", "ernie", "megatron-bert"),
        *("reformer", "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "roformer", "xlm", "xlm-roberta"),
        *("xlm-roberta-xl", "xmod"),
    }
