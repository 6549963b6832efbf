"""What stands against a merge, from headers, configs and tokenizers alone; and what should be known of its parents."""

from collections.abc import Iterator, Mapping, Sequence

from lineal.checkpoint.codes.dtypes import FLOATS
from lineal.checkpoint.names.tensor_names import has_token_rows, is_derived_buffer
from lineal.checkpoint.package import licence_hash
from lineal.engines.merge.composition import ComposedTensor
from lineal.engines.merge.dimensions import architecture_fault
from lineal.engines.parents.model import Model
from lineal.engines.tokenizers.chat_templates import chat_templates
from lineal.engines.tokenizers.tokenizer_files import settings_of
from lineal.methods.recipe.recipe import Part
from lineal.shown import quoted


def merge_faults(
    parts: Sequence[Part], tensors: Sequence[ComposedTensor], inputs: Sequence[Model], *, one_vocabulary: bool = True
) -> Iterator[str]:
    """Every fault in words; the donor, with which all others are compared, is the first input.

    one_vocabulary: whether ids must mean the same in all of them, and every token has the same row.
    """
    donor = inputs[0]
    compared = [tensor for tensor in tensors if one_vocabulary or not has_token_rows(tensor.name)]
    for model in others(inputs):
        found = [*_name_faults(parts, tensors, inputs, model), *_tensor_faults(compared, inputs, model)]
        other = architecture_fault(donor, model, layers=len(parts) == 1) if found else None
        yield from [other] if other else found
    for model in others(inputs):
        if model.tied != donor.tied:
            yield f"{model.name} {_ties(model)} its output head to the embedding, {donor.name} {_ties(donor)}"
    if one_vocabulary:
        yield from _vocabulary_faults(inputs)


def merge_remarks(parts: Sequence[Part], inputs: Sequence[Model], template_donor: Model | None) -> tuple[str, ...]:
    """Who takes part twice, and where the parents differ in what the child takes from one of them alone.

    The licence is that of the donor, the first input; template_donor: whose chat template the child has, if any.
    """
    donor = inputs[0]
    remarks = [f"{name} takes part more than once" for name in _repeated(parts, inputs)]
    for model in others(inputs):
        if _licence(model) not in (None, _licence(donor)):
            remarks.append(f"the licence of {model.name} differs from that of {donor.name}, which the child gets")
        if _dtypes(model) != _dtypes(donor):
            remarks.append(f"{model.name} is stored as {_dtypes(model)}, {donor.name} as {_dtypes(donor)}")
    remarks += [] if template_donor is None else _template_remarks(template_donor, inputs)
    return tuple(dict.fromkeys([*remarks, *(remark for model in inputs for remark in model.remarks)]))


def _template_remarks(template_donor: Model, inputs: Sequence[Model]) -> Iterator[str]:
    for model in {model.checkpoint.path: model for model in inputs}.values():
        if model.chat_templates and model.chat_templates != template_donor.chat_templates:
            yield f"the chat template of {model.name} differs from that of {template_donor.name}, which the child gets"
    for model in inputs:
        folder = None if model.adapter is None else model.adapter.folder
        own = {} if folder is None else chat_templates(folder, settings_of(folder))
        if own and own != template_donor.chat_templates:
            yield f"the chat template beside the adapter {model.name} is not the one that the child gets"


def others(inputs: Sequence[Model]) -> list[Model]:
    """All inputs but the donor, each model once; an adapter on the donor has the donor's files."""
    donor = inputs[0]
    distinct = {model.checkpoint.path: model for model in inputs if model.checkpoint is not donor.checkpoint}
    return list(distinct.values())


def _repeated(parts: Sequence[Part], inputs: Sequence[Model]) -> list[str]:
    """The names of models that stand more than once in a part."""
    found: list[str] = []
    for part in parts:
        models = [inputs[stretch.model] for stretch in part.stretches]
        places = [(m.checkpoint.path, m.adapter.path if m.adapter is not None else None) for m in models]
        found += [m.name for m, place in zip(models, places, strict=True) if places.count(place) > 1]
    return list(dict.fromkeys(found))


def _ties(model: Model) -> str:
    return "ties" if model.tied else "does not tie"


def _dtypes(model: Model) -> str:
    return " and ".join(sorted({source.dtype for source in model.values()}))


def _name_faults(
    parts: Sequence[Part], tensors: Sequence[ComposedTensor], inputs: Sequence[Model], model: Model
) -> Iterator[str]:
    """Names that are missing, told once where it is a prefix that differs; of a whole model, names too many, too."""
    places = {index for index, one in enumerate(inputs) if one.checkpoint.path == model.checkpoint.path}
    wanted = dict.fromkeys(name for t in tensors for stretch, name in t.taken if stretch.model in places)
    whole = any(stretch.model in places and stretch.blocks is None for stretch in parts[0].stretches)
    missing = [name for name in wanted if name not in model]
    extra = [name for name in sorted(model) if name not in wanted and not _is_buffer(model, name)] if whole else []
    for here, there, ours, theirs in ((inputs[0], model, extra, missing), (model, inputs[0], missing, extra)):
        prefix = _prefix(ours, theirs)
        if prefix is not None:
            yield f"the names in {here.name} begin with {quoted(prefix)}, those in {there.name} do not"
            return
    for name in sorted(missing):
        yield f"{model.name} has no {quoted(name)}"
    for name in extra:
        yield f"{inputs[0].name} has no {quoted(name)}, {model.name} has"


def _prefix(missing: Sequence[str], extra: Sequence[str]) -> str | None:
    """The prefix that turns all names of the first into those of the second."""
    if not missing or len(missing) != len(extra):
        return None
    ending = min(missing, key=len)
    possible = {name.removesuffix(ending) for name in extra if name.endswith(ending)}
    return next((prefix for prefix in sorted(possible) if {prefix + name for name in missing} == set(extra)), None)


def _is_buffer(model: Model, name: str) -> bool:
    return is_derived_buffer(name, model[name].shape)


def _tensor_faults(tensors: Sequence[ComposedTensor], inputs: Sequence[Model], model: Model) -> Iterator[str]:
    """Where this model's tensors do not fit those that come first in their parts."""
    places = {index for index, one in enumerate(inputs) if one.checkpoint is model.checkpoint}
    for tensor in tensors:
        (stretch, donor_name), *rest = tensor.taken
        mine = dict.fromkeys([name for other, name in rest if other.model in places])
        if not mine:
            continue
        donor = inputs[stretch.model]
        ours = donor[donor_name]
        for name in (name for name in mine if name in model):
            theirs = model[name]
            if ours.shape != theirs.shape:
                yield f"{quoted(name)} is {list(ours.shape)} in {donor.name}, {list(theirs.shape)} in {model.name}"
            elif ours.dtype != theirs.dtype and not {ours.dtype, theirs.dtype} <= FLOATS:
                yield f"{quoted(name)} is {ours.dtype} in {donor.name}, {theirs.dtype} in {model.name}"


def _vocabulary_faults(inputs: Sequence[Model]) -> Iterator[str]:
    """A model without a tokenizer makes no statement about what its ids mean; all others must say the same."""
    speaking = [model for model in (inputs[0], *others(inputs)) if model.vocabulary is not None]
    first = next(iter(speaking), inputs[0])
    for model in speaking[1:]:
        ours, theirs = first.vocabulary or {}, model.vocabulary or {}
        if ours != theirs:
            token = min(t for t in ours.keys() | theirs.keys() if ours.get(t) != theirs.get(t))
            place = f"{quoted(token)} is id {_id(ours, token)} in {first.name}, {_id(theirs, token)} in {model.name}"
            yield f"the vocabularies differ ({len(ours)} and {len(theirs)} tokens): {place}"


def _id(table: Mapping[str, int], token: str) -> str:
    return str(table.get(token, "absent"))


def _licence(model: Model) -> bytes | None:
    return None if model.checkpoint.lone else licence_hash(model.folder)
