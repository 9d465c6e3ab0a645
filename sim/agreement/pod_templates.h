// The pods that a story's manifests ask for, before any of them runs: what can be known of them in advance.
// Plain values.
#pragma once

#include <string>
#include <vector>

#include "control/object/value.h"
#include "sim/action.h"

namespace minik::sim {

struct PodTemplate {
  std::string owner;  // "Deployment shop/web"
  std::string namespace_;
  control::Value labels, spec;
};

// Of every object that is applied, in their order: a pod is its own.
std::vector<PodTemplate> pod_templates(const std::vector<Action>& deeds);
// Those whose pods a fault may choose.
std::vector<PodTemplate> chosen_by(const PodChoice& choice, std::vector<PodTemplate> templates);

// The containers without a memory limit, by their names.
std::vector<std::string> without_memory_limit(const control::Value& pod_spec);
// Whether a container has a probe of this kind ("livenessProbe"), and whether one asks otherwise than by HTTP.
bool has_probe(const control::Value& pod_spec, std::string_view kind);
bool probes_only_by_http(const control::Value& pod_spec);
// Whether one asks over TLS or gRPC.
bool probes_over_tls_or_grpc(const control::Value& pod_spec);

}  // namespace minik::sim
