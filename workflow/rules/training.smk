# Draws, training and prediction, one run a fold and seed.


def variant_of(wildcards):
    return SETTINGS.variant(row_of(wildcards))


def feature_stores(wildcards):
    features = variant_of(wildcards).features
    return (
        expand(store_of_features(features), dataset=wildcards.dataset, shard=shards(wildcards.dataset)) if features else []
    )


def truth_stores(wildcards):
    known = "truth" in needs(row_of(wildcards)) and is_simulated(wildcards.dataset)
    return expand("results/truth/{dataset}/{shard}.h5", dataset=wildcards.dataset, shard=shards(wildcards.dataset)) if known else []


def is_network(row):
    """Whether a system is trained by the loop, with stored draws, or fitted in one go."""
    return "draws" in needs(row)


def run_settings(wildcards):
    """What a run depends on, in one JSON object."""
    return as_json(variant_of(wildcards).model_dump(exclude={"seeds", "use"}))
