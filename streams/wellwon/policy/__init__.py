"""The policy that RevOps writes: read it with its mistakes all at once, fill it in, compile it for the core."""

from wellwon.policy.compile import compile_policy, compile_text
from wellwon.policy.load import load_policy
from wellwon.policy.model import Policy
from wellwon.policy.problem import PolicyError, PolicyProblem

__all__ = ["Policy", "PolicyError", "PolicyProblem", "compile_policy", "compile_text", "load_policy"]
