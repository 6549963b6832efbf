"""Ways to combine the weights of several models into one."""

from lineal.methods.merge.adapter import AdapterMerge
from lineal.methods.merge.dare_ties import DareTies
from lineal.methods.merge.linear import Linear
from lineal.methods.merge.slerp import Slerp
from lineal.methods.merge.task_arithmetic import TaskArithmetic
from lineal.methods.merge.ties import Ties

METHODS = (AdapterMerge, DareTies, Linear, Slerp, TaskArithmetic, Ties)
