"""Ways to combine the weights of several models into one."""

from lineal.methods.merge.adapter import AdapterMerge
from lineal.methods.merge.arcee_fusion import ArceeFusion
from lineal.methods.merge.breadcrumbs import Breadcrumbs, BreadcrumbsTies
from lineal.methods.merge.dare import DareLinear, DareTies
from lineal.methods.merge.della import Della, DellaLinear
from lineal.methods.merge.karcher import Karcher
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.model_stock import ModelStock
from lineal.methods.merge.multislerp import MultiSlerp
from lineal.methods.merge.nearswap import Nearswap
from lineal.methods.merge.nuslerp import NuSlerp
from lineal.methods.merge.passthrough import Passthrough
from lineal.methods.merge.ram import Ram, RamPlus
from lineal.methods.merge.sce import Sce
from lineal.methods.merge.slerp import Slerp
from lineal.methods.merge.soup import GreedySoup, UniformSoup
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.merge.ties import Ties

METHODS = (
    AdapterMerge,
    ArceeFusion,
    Breadcrumbs,
    BreadcrumbsTies,
    DareLinear,
    DareTies,
    Della,
    DellaLinear,
    GreedySoup,
    Karcher,
    Linear,
    ModelStock,
    MultiSlerp,
    Nearswap,
    NuSlerp,
    Passthrough,
    Ram,
    RamPlus,
    Sce,
    Slerp,
    TaskArithmetic,
    Ties,
    UniformSoup,
)
