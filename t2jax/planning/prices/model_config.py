"""Sizes of a model that exists, from its Hugging Face `config.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEYS = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "width": ("hidden_size", "n_embd", "d_model", "dim"),
    "heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads", "multi_query_group_num"),
    "head_size": ("head_dim", "kv_channels"),
    "vocabulary": ("vocab_size", "padded_vocab_size"),
    "mlp_width": ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"),
    "experts": ("num_experts", "num_local_experts", "n_routed_experts"),
    "experts_per_token": ("num_experts_per_tok", "num_experts_per_token", "experts_per_token", "moe_topk"),
    "expert_width": ("moe_intermediate_size",),
    "shared_width": ("shared_expert_intermediate_size",),
    "shared_experts": ("n_shared_experts",),
    "dense_layers": ("first_k_dense_replace",),
    "positions": ("n_positions",),
}
"""Keys of `config.json` for each size, in the order in which they are looked for."""
NESTED = ("text_config", "llm_config", "language_config")
TWO_MATRICES = {
    *("gpt2", "gpt_neo", "gpt_neox", "gptj", "gpt_bigcode", "codegen", "opt", "bloom", "falcon", "mpt", "phi"),
    *("starcoder2", "nemotron", "persimmon"),
}
"""Model types whose feed-forward layers have no gate: two matrices instead of three."""
OTHER_CACHES = {
    "kv_lora_rank": "latents in place of keys and values",
    "linear_num_key_heads": "states of linear attention",
    "ssm_cfg": "states of a state space model",
    "mamba_d_state": "states of a state space model",
    "state_size": "states of a state space model",
    "ssm_state_size": "states of a state space model",
    "lru_width": "states of a recurrent layer",
    "conv_L_cache": "states of convolutions",
    "attn_type_list": "states of linear attention in some layers",
    "num_kv_shared_layers": "keys and values that layers share",
    "interleave_moe_layer_step": "keys and values in layers of which only some have experts",
}
"""Keys of models whose cache is no cache of keys and values in every layer."""


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a transformer, as its `config.json` gives them.

    Biases and normalisations are not counted, which are a few parameters in 100,000.

    Attributes:
        layers: Number of layers.
        width: Width of the residual stream.
        heads: Query heads of a layer.
        kv_heads: Key-value heads of a layer.
        head_size: Width of one head.
        vocabulary: Tokens in the vocabulary.
        mlp_width: Width of the feed-forward layers that are not experts.
        mlp_matrices: Matrices of a feed-forward layer: 3 with a gate, otherwise 2.
        tied: Whether the output head has the weights of the embeddings.
        experts: Experts of a layer, 1 for a dense model.
        experts_per_token: Experts that compute one token.
        expert_width: Width of one expert.
        shared_width: Width of the experts that compute every token.
        dense_layers: Layers without experts in a model that has experts elsewhere.
        positions: Learned positions, 0 without.

    Examples:
        >>> sizes = {"layers": 32, "width": 4096, "heads": 32, "kv_heads": 8, "head_size": 128, "vocabulary": 32000}
        >>> mixtral = t2.planning.ModelConfig(
        ...     **sizes, mlp_width=14336, tied=False, experts=8, experts_per_token=2, expert_width=14336
        ... )
        >>> f"{mixtral.params:.4g} parameters, {mixtral.active_params:.4g} of them active"
        '4.67e+10 parameters, 1.288e+10 of them active'
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    mlp_width: int
    mlp_matrices: int = 3
    tied: bool = True
    experts: int = 1
    experts_per_token: int = 1
    expert_width: int = 0
    shared_width: int = 0
    dense_layers: int = 0
    positions: int = 0

    @property
    def params(self) -> int:
        """All parameters, with embeddings."""
        return self._with_experts(self.experts)

    @property
    def active_params(self) -> int:
        """Parameters that are active for one token, with embeddings."""
        return self._with_experts(self.experts_per_token)

    @property
    def computing_params(self) -> int:
        """Active parameters in matrix products: looking up a token or a position computes nothing, the head does."""
        looked_up = self.positions + (0 if self.tied else self.vocabulary)
        return self.active_params - looked_up * self.width

    @property
    def cached_numbers(self) -> int:
        """Numbers that the KV cache stores for each token: a key and a value in every layer."""
        return 2 * self.layers * self.kv_heads * self.head_size

    def _with_experts(self, experts: int) -> int:
        attention = 2 * self.width * (self.heads + self.kv_heads) * self.head_size
        dense = self.mlp_matrices * self.width * self.mlp_width
        routed = self.mlp_matrices * self.width * (experts * self.expert_width + self.shared_width)
        sparse_layers = 0 if self.experts == 1 else self.layers - self.dense_layers
        mixture = sparse_layers * (routed + self.width * self.experts)  # the router reads all experts
        embeddings = ((1 if self.tied else 2) * self.vocabulary + self.positions) * self.width
        return self.layers * attention + (self.layers - sparse_layers) * dense + mixture + embeddings


def read_model_config(path: str | Path) -> ModelConfig:
    """Reads the sizes of a model from its Hugging Face `config.json`.

    Args:
        path: A `config.json`, or a folder that holds one.

    Returns:
        The sizes. Its `params` are all parameters, and `cached_numbers` the KV cache of one token.

    Raises:
        ValueError: When there is no such file, a key is missing or wrong, or the model caches something else than keys
            and values. The message names the file and the key.

    Examples:
        >>> import json, pathlib, tempfile
        >>> qwen = {"hidden_size": 2560, "num_hidden_layers": 36, "num_attention_heads": 32, "vocab_size": 151936}
        >>> qwen |= {"num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 9728, "model_type": "qwen3"}
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "config.json"
        >>> path.write_text(json.dumps(qwen)) > 0
        True
        >>> config = t2.planning.read_model_config(path)
        >>> config.params, 2 * config.cached_numbers  # bytes of a cached token in bf16
        (4022272000, 147456)
    """
    file = Path(path)
    file = file / "config.json" if file.is_dir() else file
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{file}: there is no such file; expected the config.json of a model") from None
    except (OSError, ValueError) as reason:
        raise ValueError(f"{file}: expected the config.json of a model ({reason})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file}: expected a JSON object, the config.json of a model")
    nested = [content[name] for name in NESTED if isinstance(content.get(name), dict)]
    if _value(content, "width") is not None or not nested:
        return _sizes(content, file)
    outer = {name: content[name] for name in ("tie_word_embeddings",) if name in content}
    return _sizes({**outer, **nested[0]}, file)


def _value(content: Mapping[str, Any], size: str) -> Any:
    """Returns the value of the first key of a size that the file has, or None."""
    return next((content[key] for key in KEYS[size] if content.get(key) is not None), None)


def _sizes(content: Mapping[str, Any], file: Path) -> ModelConfig:
    for key, cache in OTHER_CACHES.items():
        if content.get(key):
            raise ValueError(
                f"{file}: {key} says that the model caches {cache}; describe its shape by numbers, not by a file"
            )

    def number(size: str, otherwise: int | None = None, least: int = 1) -> int:
        value = _value(content, size)
        if value is None and otherwise is not None:
            return otherwise
        if value is None:
            raise ValueError(f"{file}: the key {' or '.join(KEYS[size])} is missing")
        if isinstance(value, list):
            raise ValueError(f"{file}: {size} differs between layers; describe its shape by averages, not by a file")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value) or value < least:
            key = next(key for key in KEYS[size] if content.get(key) is not None)
            raise ValueError(f"{file}: {key} is {value!r}, expected a whole number of at least {least}")
        return int(value)

    width, heads = number("width"), number("heads")
    # Falcon writes the number of query heads there too, beside a flag that only one is cached
    one_kv_head = content.get("multi_query") is True and not content.get("new_decoder_architecture")
    grouped = one_kv_head and _value(content, "kv_heads") in (None, heads)
    experts, plain = number("experts", 1, least=0) or 1, content.get("model_type") in TWO_MATRICES
    mlp_width = number("mlp_width", 4 * width if plain else None)
    if _value(content, "head_size") is None and width % heads:
        raise ValueError(f"{file}: the key head_dim is missing, and {heads} heads do not divide a width of {width}")
    expert_width = number("expert_width", mlp_width)
    shared = number("shared_width", number("shared_experts", 0, least=0) * expert_width, least=0)
    listed = content.get("mlp_only_layers") or []
    return ModelConfig(
        layers=number("layers"),
        width=width,
        heads=heads,
        kv_heads=1 if grouped else number("kv_heads", heads),
        head_size=number("head_size", width // heads),
        vocabulary=number("vocabulary"),
        mlp_width=mlp_width,
        mlp_matrices=2 if plain else 3,
        tied=content.get("tie_word_embeddings") is not False,
        experts=experts,
        experts_per_token=1 if experts == 1 else number("experts_per_token"),
        expert_width=expert_width,
        shared_width=shared,
        dense_layers=0 if experts == 1 else number("dense_layers", len(listed), least=0),
        positions=number("positions", 0, least=0) if content.get("model_type") == "gpt2" else 0,
    )
