"""The verbs, in the order in which a newcomer meets them."""

import typer

from lineal.cli import (
    add,
    adopt,
    ancestors,
    bisect,
    blame,
    check,
    check_proof,
    clear,
    common,
    descendants,
    diff,
    distill,
    evaluate,
    find,
    finetune,
    generate,
    import_,
    journal,
    leaves,
    log,
    merge,
    methods,
    path,
    promote,
    prove,
    prune,
    quantize,
    roots,
    run,
    show,
    tag,
    taint,
    tainted,
    verify,
    why,
)

app = typer.Typer(
    name="lineal",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Derives models from models, and knows where every one of them came from.",
)

METHOD_OPTIONS = {"ignore_unknown_options": True}
"""For verbs whose options depend on a method: what is unknown here, the method must know."""

app.command(epilog=run.EXAMPLES)(run.run)
app.command(epilog=merge.EXAMPLES, context_settings=METHOD_OPTIONS)(merge.merge)
app.command(epilog=prune.EXAMPLES, context_settings=METHOD_OPTIONS)(prune.prune)
app.command(epilog=quantize.EXAMPLES, context_settings=METHOD_OPTIONS)(quantize.quantize)
app.command(epilog=finetune.EXAMPLES, context_settings=METHOD_OPTIONS)(finetune.finetune)
app.command(epilog=distill.EXAMPLES, context_settings=METHOD_OPTIONS)(distill.distill)
app.command("eval", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(epilog=generate.EXAMPLES)(generate.generate)
app.command(epilog=add.EXAMPLES)(add.add)
app.command(epilog=adopt.EXAMPLES)(adopt.adopt)
app.command("import", epilog=import_.EXAMPLES)(import_.import_)
app.command(epilog=tag.EXAMPLES)(tag.tag)
app.command(epilog=promote.EXAMPLES)(promote.promote)
app.command(epilog=log.EXAMPLES)(log.log)
app.command(epilog=show.EXAMPLES)(show.show)
app.command(epilog=why.EXAMPLES)(why.why)
app.command(epilog=ancestors.EXAMPLES)(ancestors.ancestors)
app.command(epilog=descendants.EXAMPLES)(descendants.descendants)
app.command(epilog=common.EXAMPLES)(common.common)
app.command(epilog=path.EXAMPLES)(path.path)
app.command(epilog=roots.EXAMPLES)(roots.roots)
app.command(epilog=leaves.EXAMPLES)(leaves.leaves)
app.command(epilog=diff.EXAMPLES)(diff.diff)
app.command(epilog=blame.EXAMPLES)(blame.blame)
app.command(epilog=find.EXAMPLES)(find.find)
app.command(epilog=bisect.EXAMPLES)(bisect.bisect)
app.command(epilog=verify.EXAMPLES)(verify.verify)
app.command(epilog=taint.EXAMPLES)(taint.taint)
app.command(epilog=tainted.EXAMPLES)(tainted.tainted)
app.command(epilog=clear.EXAMPLES)(clear.clear)
app.command(epilog=journal.EXAMPLES)(journal.journal)
app.command(epilog=check.EXAMPLES)(check.check)
app.command(epilog=prove.EXAMPLES)(prove.prove)
app.command("check-proof", epilog=check_proof.EXAMPLES)(check_proof.check_proof)
app.command(epilog=methods.EXAMPLES)(methods.methods)
