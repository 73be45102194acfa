# Draws, training and prediction, one run a fold and seed.


def variant_of(wildcards):
    return SETTINGS.variant(row_of(wildcards))


def feature_stores(wildcards):
    features = variant_of(wildcards).features
    if features is None:
        return []
    return expand(store_of_features(features), dataset=wildcards.dataset, shard=shards(wildcards.dataset))


def truth_stores(wildcards):
    if "truth" not in needs(row_of(wildcards)) or not is_simulated(wildcards.dataset):
        return []
    return expand("results/truth/{dataset}/{shard}.h5", dataset=wildcards.dataset, shard=shards(wildcards.dataset))
