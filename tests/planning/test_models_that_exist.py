"""Shapes of models that exist, from their config.json, and what serving them costs, against published figures."""

import json
from typing import Any

import jax
import numpy as np
import pytest

import t2jax as t2
from t2jax.planning.prices.terms import total

LLAMA = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "tie_word_embeddings": False}
CONFIGS = {
    "Llama-2 7B": LLAMA | {"num_key_value_heads": 32, "intermediate_size": 11008, "vocab_size": 32000},
    "Llama-3 8B": LLAMA | {"num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256},
    "Llama-3 70B": LLAMA
    | {"hidden_size": 8192, "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8}
    | {"intermediate_size": 28672, "vocab_size": 128256},
    "Qwen3-4B": {
        "hidden_size": 2560,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 9728,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
    },
    "Qwen3-0.6B": {
        "hidden_size": 1024,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 3072,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
    },
    "GPT-2": {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257}
    | {"n_inner": None, "n_positions": 1024},
    "Mixtral 8x7B": LLAMA
    | {"num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 32000}
    | {"num_local_experts": 8, "num_experts_per_tok": 2},
    "Qwen3-30B-A3B": {
        "hidden_size": 2048,
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "intermediate_size": 6144,
        "vocab_size": 151936,
        "tie_word_embeddings": False,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 768,
        "mlp_only_layers": [],
    },
}
PUBLISHED = {  # parameters of the model cards, and bytes of a cached token in bf16
    "Llama-2 7B": (6.738e9, 524288),
    "Llama-3 8B": (8.030e9, 131072),
    "Llama-3 70B": (70.55e9, 327680),
    "Qwen3-4B": (4.022e9, 147456),
    "Qwen3-0.6B": (0.596e9, 114688),
    "GPT-2": (0.1244e9, 36864),
    "Mixtral 8x7B": (46.70e9, 131072),
    "Qwen3-30B-A3B": (30.53e9, 98304),
}


def write(folder, content):
    path = folder / "config.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_cache_of_published_models(name, tmp_path):
    """The cache at the model's own N, and at four times the depth·width² it grows as N^(2/3)."""
    params, cache = PUBLISHED[name]
    config = t2.planning.read_model_config(write(tmp_path, CONFIGS[name]))
    assert config.params == pytest.approx(params, rel=1e-3)
    assert 2 * config.cached_numbers == cache
    with jax.enable_x64(True):
        for counted in (config.active_params, params):
            shape = t2.Shape.from_config(tmp_path, params=counted)
            sequence = t2.Serving(prompt=999.0, generated=1.0, shape=shape)
            weights = 2 * counted * shape.stored().coefficient
            assert float(sequence.memory_used(counted) - weights) == pytest.approx(1000 * cache, rel=1e-9)
            assert float(shape.depth(counted)) == pytest.approx(config.layers, rel=1e-12)
            assert float(shape.width(counted)) == pytest.approx(config.width, rel=1e-12)
            assert 2 * float(shape.cached_numbers(8 * counted)) == pytest.approx(4 * cache, rel=1e-12)


def test_experts_compute_by_active_and_fill_memory_by_total(tmp_path):
    """Mixtral: 12.9 billion active of 46.7; one sequence reads the active weights, a large batch reads all."""
    config = t2.planning.read_model_config(write(tmp_path, CONFIGS["Mixtral 8x7B"]))
    assert config.active_params == pytest.approx(12.88e9, rel=1e-3)
    shape, active = t2.Shape.from_config(tmp_path), config.active_params
    looked_up = 32000 * 4096
    chip = t2.accelerator("H100", utilisation=1.0, bandwidth_utilisation=1.0)
    with jax.enable_x64(True):
        tiny = t2.Serving(generated=1.0, shape=shape, cache_bytes=1e-9)
        attention = 4 * 32 * 4096  # one token that attends to itself
        assert float(tiny(active, 1.0)) == pytest.approx(2 * (active - looked_up) + attention, rel=1e-12)
        assert float(tiny.memory_used(active)) == pytest.approx(2 * config.params, rel=1e-9)
        seconds = t2.Serving(generated=1.0, shape=shape, cache_bytes=1e-9, on=chip)
        assert float(seconds(active, 1.0)) == pytest.approx(2 * (active - looked_up) / 3.35e12, rel=1e-9)
        both = t2.Serving(generated=1.0, shape=shape, batch=2.0, cache_bytes=1e-9, on=chip)
        # a second sequence finds each of the other experts idle with probability 3/4
        read = config.params - (config.params - (active - looked_up)) * 0.75
        assert float(both(active, 1.0)) == pytest.approx(read / 3.35e12, rel=1e-9)
        trained = t2.Training(shape, context=1.0)(active, 1e12)
    assert float(trained) == pytest.approx(6 * (active - looked_up) * 1e12, rel=1e-4)


def test_prompt_read_once_for_all_samples():
    """Kinetics (2506.05333): C_comp 5.0116e15, I·C_mem 8.9408e16 and their sum 9.4420e16 FLOPs."""
    params, layers, heads, groups, size, prompt, generated, samples = 8.2e9, 36, 32, 8, 128, 512.0, 8192.0, 32.0
    width = 4096
    shape = t2.Shape(
        aspect=width / layers,
        kv_share=groups * size / width,
        attention_share=heads * size / width,
        density=params / (layers * width**2),
    )
    many = {"prompt": prompt, "generated": generated, "shape": shape, "batch": 1e15, "flops_per_byte": 562.5}
    with jax.enable_x64(True):
        query = t2.Serving(**many, shared_prompt=True)
        decoding = float(total(query.decoding_terms()[0], params, 1.0, samples))
        computed = samples * float(total(query.sample_flops(), params, 1.0, 1.0))
        prompt_flops = float(total(query.prompt_flops(), params, 1.0, 1.0))
        assert f"{computed:.4e} {decoding - computed:.4e} {decoding:.4e}" == "5.0116e+15 8.9408e+16 9.4420e+16"
        assert float(query(params, samples)) == pytest.approx(decoding + prompt_flops, rel=1e-12)
        pairs = (2 * samples * prompt + samples * generated) * generated
        apart = 562.5 * 2 * pairs * groups * size * layers
        traffic = float(total(t2.Serving(**many).decoding_terms()[0], params, 1.0, samples)) - computed
    assert traffic == pytest.approx(apart, rel=1e-9)


def test_prompt_read_once_on_an_accelerator():
    """Seconds of decoding by hand, where a long prompt's cache is all that memory is read for."""
    chip = t2.accelerator("H100", utilisation=1.0, bandwidth_utilisation=1.0)
    shape = t2.Shape()
    params, samples, prompt, generated = 1e9, 64.0, 1e5, 10.0
    cache = 2 * 2 * float(shape.depth(params)) * float(shape.width(params))
    with jax.enable_x64(True):
        given = {"prompt": prompt, "generated": generated, "shape": shape, "batch": 1e12, "on": chip}
        once = total(t2.Serving(**given, shared_prompt=True).decoding_terms()[1], params, 1.0, samples)
        often = total(t2.Serving(**given).decoding_terms()[1], params, 1.0, samples)
    attended = samples * generated * (generated + 1) / 2
    assert float(once) == pytest.approx(cache * (prompt * generated + attended) / 3.35e12, rel=1e-6)
    assert float(often) == pytest.approx(cache * (samples * prompt * generated + attended) / 3.35e12, rel=1e-6)


def test_times_of_the_first_and_of_further_tokens_limit_a_plan():
    """Weights of 2N bytes pass 8 devices once a token; a prompt of 4,000 tokens costs 8,000 N FLOPs."""
    law = t2.laws.T2Loss(E=0.6, A=300.0, B=1500.0, alpha=0.34, beta=0.35, G=0.8, gamma=0.35)
    chip = t2.accelerator("H100", utilisation=0.5, bandwidth_utilisation=0.5, price=2.0)
    serving = t2.Serving(prompt=4000.0, generated=100.0, batch=1.0, on=chip)
    given = {"total": 1e7, "queries": 1e8, "training": t2.Training(on=chip), "serving": serving}
    step, first = 5e-4, 0.008
    limits: Any = {"first_token": np.array([1e3, first, 1e3]), "between_tokens": np.array([step, 1e3, 1e3])}
    plans = t2.frontier(law, t2.Budget(**given, **limits))
    slow, early, free = plans.params
    assert slow == pytest.approx(step * 8 * 3.35e12 / 2 / 2, rel=1e-6)
    assert early == pytest.approx(first * 8 * 989e12 / 2 / (2 * 4000), rel=1e-6)
    assert free > 1.2 * max(slow, early)
    assert "limited by first_token, between_tokens" in plans.status
    with pytest.raises(ValueError, match=r"Budget\.first_token limits the time of reading a prompt"):
        t2.Budget(train=1e22, first_token=1.0, serving=t2.Serving(on=chip))
    with pytest.raises(ValueError, match=r"Budget\.between_tokens needs a Serving on an accelerator"):
        t2.Budget(train=1e22, between_tokens=1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": None}, r"config\.json: the key hidden_size or n_embd or d_model or dim is missing"),
        ({"intermediate_size": None}, r"the key intermediate_size or n_inner or .* is missing"),
        ({"num_hidden_layers": 32.5}, r"num_hidden_layers is 32\.5, expected a whole number of at least 1"),
        ({"num_key_value_heads": "8"}, r"num_key_value_heads is '8', expected a whole number"),
        ({"num_attention_heads": 30}, r"the key head_dim is missing, and 30 heads do not divide a width of 4096"),
        ({"num_experts": 8}, r"the key num_experts_per_tok or .* is missing"),
        ({"kv_lora_rank": 512}, r"kv_lora_rank says that the model caches latents in place of keys and values"),
        ({"intermediate_size": [1, 2]}, r"mlp_width differs between layers"),
    ],
)
def test_configs_that_describe_no_shape(change, message, tmp_path):
    content = {key: value for key, value in (CONFIGS["Llama-3 8B"] | change).items() if value is not None}
    with pytest.raises(ValueError, match=message):
        t2.Shape.from_config(write(tmp_path, content))


def test_whole_numbers_beyond_32_bits_are_sizes(tmp_path):
    config = t2.planning.read_model_config(write(tmp_path, CONFIGS["Llama-3 8B"]))
    shape = t2.Shape.from_config(tmp_path, params=config.params)
    assert float(shape.depth(config.params)) == pytest.approx(32, rel=1e-5)
    query = t2.Serving(shape=shape, on=t2.accelerator("H200"))
    assert float(query.latency(config.params)) == pytest.approx(float(query.latency(float(config.params))), rel=1e-6)


def test_files_that_are_no_config(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json: there is no such file"):
        t2.Shape.from_config(tmp_path)
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"config\.json: expected the config\.json of a model"):
        t2.Shape.from_config(tmp_path)
    nested = t2.planning.read_model_config(write(tmp_path, {"text_config": CONFIGS["Qwen3-4B"], "vision_config": {}}))
    assert 2 * nested.cached_numbers == 147456


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flops = 1e15\nbandwidth = 4e12", r"mine\.toml: the key 'memory' is missing"),
        ("flops = 1e15\nbandwidth = 4e12\nmemory = 1e11\nwatts = 700", r"mine\.toml: unknown key 'watts'"),
        ("flops = '1e15'\nbandwidth = 4e12\nmemory = 1e11", r"mine\.toml: flops is '1e15', expected a number"),
        ("flops = 0.0\nbandwidth = 4e12\nmemory = 1e11", r"mine\.toml: Accelerator\.flops must be positive"),
        ("flops =", r"mine\.toml: expected an accelerator in TOML"),
    ],
)
def test_files_that_are_no_accelerator(text, message, tmp_path):
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        t2.planning.read_accelerator(tmp_path / "mine.toml")


def test_a_price_of_traffic_and_an_accelerator_exclude_each_other():
    with pytest.raises(ValueError, match="flops_per_byte is for costs in FLOPs"):
        t2.Serving(flops_per_byte=500.0, on=t2.accelerator("B200"))
    np.testing.assert_allclose(t2.Serving(flops_per_byte=2.0)(1e9, 4.0), 2e9 * 4 * (1 + 2), rtol=1e-6)
