"""`chat_template` of a recipe: a Jinja template, `auto`, or the name of a well-known format."""

import re
from typing import Any

from lineal.errors import UsageError
from lineal.methods.recipe.recipe import AUTO
from lineal.shown import quoted

_CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_LLAMA3 = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
    "{{ message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
_MISTRAL = (
    "{{ bos_token }}"
    "{% set talk = namespace(system='') %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' and loop.first %}"
    "{% set talk.system = message['content'] + '\\n\\n' %}"
    "{% elif message['role'] == 'user' %}"
    "{{ ' [INST] ' + talk.system + message['content'] + ' [/INST]' }}{% set talk.system = '' %}"
    "{% elif message['role'] == 'assistant' %}"
    "{{ ' ' + message['content'] + eos_token }}"
    "{% else %}"
    "{{ raise_exception('only user and assistant take part, after a system message at the beginning') }}"
    "{% endif %}"
    "{% endfor %}"
)
_ALPACA = (
    "{% set titles = {'user': '### Instruction:\\n', 'user_context': '### Input:\\n', "
    "'assistant': '### Response:\\n'} %}"
    "{% for message in messages %}"
    "{{ titles.get(message['role'], '') + message['content'] | trim + '\\n\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ titles['assistant'] }}{% endif %}"
)
_EXAONE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}{{ '[|system|][|endofturn|]\\n' }}{% endif %}"
    "{{ '[|' + message['role'] + '|]' + message['content'] }}"
    "{{ '\\n' if message['role'] == 'user' else '[|endofturn|]\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '[|assistant|]' }}{% endif %}"
)
_GENERATION = re.compile(r"{%-?\s*(end)?generation\s*-?%}")
"""A tag that only transformers knows."""

_BY_NAME = {"alpaca": _ALPACA, "chatml": _CHATML, "exaone": _EXAONE, "llama3": _LLAMA3, "mistral": _MISTRAL}


def chat_template(written: Any) -> str:
    """`auto`, or the template; anything else, and a template with faults, is a UsageError."""
    if written == AUTO or (isinstance(written, str) and written in _BY_NAME):
        return _BY_NAME.get(written, AUTO)
    if not isinstance(written, str) or not ("{{" in written or "{%" in written):
        known = ", ".join((AUTO, *_BY_NAME))
        raise UsageError(f"a chat template is Jinja, or one of {known}, got {quoted(written)}")
    from jinja2 import Environment, TemplateSyntaxError

    try:
        _ = Environment(extensions=["jinja2.ext.loopcontrols"], autoescape=True).parse(_GENERATION.sub("", written))
    except TemplateSyntaxError as error:
        raise UsageError(f"the chat template has a fault in its line {error.lineno}: {error.message}") from None
    return written
