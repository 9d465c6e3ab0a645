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
// All containers become the demo server, which listens on $PORT: the object with a port of its own for each further
// container of its pods, from 8081 on, unless it sets one itself.
control::Value with_own_ports(const control::Value& object);
// Where a container of such an object listens.
int64_t port_of(const control::Value& container);
// Says which container is asked by another one's probe; empty when none is.
std::string probe_of_another(const control::Value& pod_spec);

// Whether a container has a probe of this kind ("livenessProbe"), and whether one asks otherwise than by HTTP.
bool has_probe(const control::Value& pod_spec, std::string_view kind);
bool probes_only_by_http(const control::Value& pod_spec);
// Whether one asks over TLS or gRPC.
bool probes_over_tls_or_grpc(const control::Value& pod_spec);

}  // namespace minik::sim
