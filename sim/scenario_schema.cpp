#include "sim/scenario_schema.h"

#include <string>
#include <vector>

#include "control/base/text.h"
#include "control/controllers/controller_manager.h"
#include "control/kubelet/eviction_signals.h"
#include "sim/scenario/metric_families.h"

namespace minik::sim {

namespace {

// What an item of spec.faults and one of spec.timeline may be.
constexpr std::string_view kFaultSchemas = R"(
        "crashNodes": {"$ref": "#/definitions/choice"},
        "freezeNodes": {"$ref": "#/definitions/choice"},
        "slowNodes": {"type": "object", "additionalProperties": false, "properties": {"names": {"$ref": "#/definitions/names"}, "pool": {"type": "string"}, "zone": {"type": "string"}, "runs": {"type": "string"}, "count": {"type": "integer", "minimum": 1}, "factor": {"type": "integer", "minimum": 1}}},
        "jumpClocks": {"type": "object", "additionalProperties": false, "properties": {"names": {"$ref": "#/definitions/names"}, "pool": {"type": "string"}, "zone": {"type": "string"}, "runs": {"type": "string"}, "count": {"type": "integer", "minimum": 1}, "by": {"$ref": "#/definitions/signedDuration"}}},
        "stopKubelets": {"$ref": "#/definitions/choice"},
        "partitionNodes": {"oneOf": [{"const": "all"}, {"type": "object", "additionalProperties": false, "properties": {"names": {"$ref": "#/definitions/names"}, "pool": {"type": "string"}, "zone": {"type": "string"}, "runs": {"type": "string"}, "count": {"type": "integer", "minimum": 1}, "cut": {"enum": ["both", "requests", "answers"]}}}]},
        "fillDisks": {"$ref": "#/definitions/choice"},
        "slowDisks": {"type": "object", "additionalProperties": false, "properties": {"names": {"$ref": "#/definitions/names"}, "pool": {"type": "string"}, "zone": {"type": "string"}, "runs": {"type": "string"}, "count": {"type": "integer", "minimum": 1}, "factor": {"type": "integer", "minimum": 1}}},
        "crashContainers": {"type": "object", "additionalProperties": false, "properties": {"namespace": {"type": "string"}, "labelSelector": {"type": "string"}, "node": {"type": "string"}, "container": {"type": "string"}, "count": {"type": "integer"}, "exitCode": {"type": "integer"}}},
        "oomContainers": {"type": "object", "additionalProperties": false, "properties": {"namespace": {"type": "string"}, "labelSelector": {"type": "string"}, "node": {"type": "string"}, "container": {"type": "string"}, "count": {"type": "integer"}}},
        "hangContainers": {"type": "object", "additionalProperties": false, "properties": {"namespace": {"type": "string"}, "labelSelector": {"type": "string"}, "node": {"type": "string"}, "container": {"type": "string"}, "count": {"type": "integer"}}},
        "failProbes": {"type": "object", "additionalProperties": false, "properties": {"namespace": {"type": "string"}, "labelSelector": {"type": "string"}, "node": {"type": "string"}, "container": {"type": "string"}, "count": {"type": "integer"}}},
        "troubleLinks": {"type": "object", "required": ["components"], "additionalProperties": false, "properties": {"components": {"$ref": "#/definitions/names"}, "loseRequests": {"$ref": "#/definitions/share"}, "loseAnswers": {"$ref": "#/definitions/share"}, "delayAnswers": {"$ref": "#/definitions/share"}, "holdWatches": {"$ref": "#/definitions/share"}, "endWatches": {"$ref": "#/definitions/share"}, "delayMax": {"$ref": "#/definitions/duration"}}},
        "holdMessages": {"type": "object", "required": ["components"], "additionalProperties": false, "properties": {"components": {"$ref": "#/definitions/names"}}},
        "holdWatches": {"type": "object", "required": ["components"], "additionalProperties": false, "properties": {"components": {"$ref": "#/definitions/names"}}},
        "expireTokens": {"type": "object", "required": ["components"], "additionalProperties": false, "properties": {"components": {"$ref": "#/definitions/names"}}},
        "expireCertificates": {"type": "object", "required": ["components"], "additionalProperties": false, "properties": {"components": {"$ref": "#/definitions/names"}}},
        "stopApi": {"type": "object", "additionalProperties": false},
        "slowApi": {"type": "object", "required": ["latency"], "additionalProperties": false, "properties": {"latency": {"$ref": "#/definitions/distribution"}}},
        "failApi": {"type": "object", "additionalProperties": false, "properties": {"share": {"$ref": "#/definitions/share"}, "code": {"enum": [500, 503, 504]}}},
        "throttleApi": {"type": "object", "additionalProperties": false, "properties": {"requestsPerSecond": {"type": "integer", "minimum": 1}, "retryAfterSeconds": {"type": "integer", "minimum": 0}}},
        "expireWatches": {"type": "object", "additionalProperties": false},
        "cutStorePower": {"type": "object", "additionalProperties": false},
        "fillStoreDisk": {"type": "object", "additionalProperties": false},
        "slowStoreDisk": {"type": "object", "required": ["latency"], "additionalProperties": false, "properties": {"latency": {"$ref": "#/definitions/distribution"}}},
        "crashComponent": {"type": "object", "required": ["component"], "additionalProperties": false, "properties": {"component": {"$ref": "#/definitions/component"}}},
        "crashAtWrites": {"type": "object", "required": ["component"], "additionalProperties": false, "properties": {"component": {"$ref": "#/definitions/component"}, "share": {"$ref": "#/definitions/share"}, "down": {"$ref": "#/definitions/distribution"}}},
        "loseLeader": {"type": "object", "required": ["component"], "additionalProperties": false, "properties": {"component": {"$ref": "#/definitions/component"}}},
        "twoLeaders": {"type": "object", "required": ["component"], "additionalProperties": false, "properties": {"component": {"$ref": "#/definitions/component"}}},
        "registryOutage": {"type": "object", "additionalProperties": false, "properties": {"match": {"type": "string"}}},
        "throttleRegistry": {"type": "object", "additionalProperties": false, "properties": {"match": {"type": "string"}, "pullsPerMinute": {"type": "integer", "minimum": 1}}},
        "dnsOutage": {"type": "object", "additionalProperties": false},
        "webhookOutage": {"type": "object", "additionalProperties": false, "properties": {"match": {"type": "string"}, "how": {"enum": ["refused", "silent", "nonsense", "certificateExpired"]}}},
        "slowWebhooks": {"type": "object", "required": ["latency"], "additionalProperties": false, "properties": {"match": {"type": "string"}, "latency": {"$ref": "#/definitions/distribution"}}},
        "exhaustQuota": {"type": "object", "additionalProperties": false, "properties": {"namespace": {"type": "string"}, "resources": {"$ref": "#/definitions/names"}}})";

// Words between two @ stand for what is known elsewhere.
constexpr std::string_view kSchema = R"({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "$id": "https://minik.dev/schemas/scenario.json",
  "title": "Scenario of minik sim",
  "type": "object",
  "required": ["apiVersion", "kind", "metadata", "spec"],
  "additionalProperties": false,
  "properties": {
    "apiVersion": {"const": "minik.dev/v1alpha1"},
    "kind": {"const": "Scenario"},
    "metadata": {
      "type": "object",
      "required": ["name"],
      "additionalProperties": false,
      "properties": {
        "name": {"type": "string"},
        "description": {"type": "string", "description": "What the scenario shows."},
        "source": {"type": "string", "description": "The failure that it models."}
      }
    },
    "spec": {
      "type": "object",
      "required": ["nodes"],
      "additionalProperties": false,
      "properties": {
        "seed": {"oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,20}$"}], "description": "Chooses all that is drawn; --seed replaces it."},
        "duration": {"$ref": "#/definitions/duration", "description": "Virtual time from start to end."},
        "chance": {
          "type": "object",
          "description": "The part of virtual time in which chance makes the schedule: delays, and the order of what is due at once.",
          "additionalProperties": false,
          "properties": {"from": {"$ref": "#/definitions/duration"}, "until": {"$ref": "#/definitions/duration"}}
        },
        "nodeMonitorGracePeriod": {"$ref": "#/definitions/duration", "description": "How long a node may be silent before it counts as lost."},
        "apiServer": {"type": "object", "additionalProperties": false, "properties": {"objectsPerSecond": {"type": "integer", "minimum": 1, "description": "What it makes its way through, a request being one more than the objects of its answer."}}},
        "dns": {"type": "object", "additionalProperties": false, "properties": {"cachedFor": {"$ref": "#/definitions/duration", "description": "So long after the name servers have heard from the API server names are known."}}},
        "nodes": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/pool"}},
        "images": {"type": "array", "description": "How containers behave; the first match counts.", "items": {"$ref": "#/definitions/image"}},
        "workloads": {"$ref": "#/definitions/manifests", "description": "Applied five seconds after the start."},
        "timeline": {"type": "array", "items": {"$ref": "#/definitions/action"}},
        "faults": {"type": "array", "description": "What goes wrong until spec.duration; then everything heals.", "items": {"$ref": "#/definitions/fault"}},
        "convergence": {
          "description": "After spec.duration everything must come to rest; so it is where there are faults, unless none.",
          "oneOf": [
            {"const": "none"},
            {
              "type": "object",
              "additionalProperties": false,
              "properties": {
                "within": {"$ref": "#/definitions/duration"},
                "except": {"type": "array", "items": {"$ref": "#/definitions/reference"}}
              }
            }
          ]
        },
        "expect": {"type": "array", "description": "What must hold, checked every virtual second.", "items": {"$ref": "#/definitions/expectation"}}
      }
    }
  },
  "definitions": {
    "duration": {"oneOf": [{"const": 0}, {"type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$"}]},
    "signedDuration": {"oneOf": [{"const": 0}, {"type": "string", "pattern": "^-?([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$"}]},
    "share": {"type": "string", "pattern": "^[0-9]{1,3}(\\.[0-9]{1,4})?%$"},
    "distribution": {
      "description": "One duration; bounds between which each is drawn; or another distribution.",
      "oneOf": [
        {"$ref": "#/definitions/duration"},
        {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "min": {"$ref": "#/definitions/duration"},
            "max": {"$ref": "#/definitions/duration"},
            "exponential": {"type": "object", "required": ["mean"], "additionalProperties": false, "properties": {"mean": {"$ref": "#/definitions/duration"}}},
            "normal": {"type": "object", "required": ["mean", "deviation"], "additionalProperties": false, "properties": {"mean": {"$ref": "#/definitions/duration"}, "deviation": {"$ref": "#/definitions/duration"}}},
            "logNormal": {"type": "object", "required": ["median", "p99"], "additionalProperties": false, "properties": {"median": {"$ref": "#/definitions/duration"}, "p99": {"$ref": "#/definitions/duration"}}},
            "choice": {"type": "array", "minItems": 1, "maxItems": 64, "items": {"type": "object", "required": ["of"], "additionalProperties": false, "properties": {"weight": {"type": "integer", "minimum": 0}, "of": {"$ref": "#/definitions/distribution"}}}}
          }
        }
      ]
    },
    "signedDistribution": {
      "oneOf": [
        {"$ref": "#/definitions/signedDuration"},
        {"type": "object", "additionalProperties": false, "properties": {"min": {"$ref": "#/definitions/signedDuration"}, "max": {"$ref": "#/definitions/signedDuration"}}}
      ]
    },
    "manifest": {
      "description": "An object, or the objects of a file: its path relative to this one, or - for standard input.",
      "type": "object",
      "anyOf": [{"required": ["apiVersion", "kind"]}, {"required": ["file"], "additionalProperties": false, "properties": {"file": {"type": "string"}}}]
    },
    "manifests": {"oneOf": [{"$ref": "#/definitions/manifest"}, {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/manifest"}}]},
    "quantity": {"type": ["string", "integer"]},
    "bytes": {
      "description": "A quantity; or bounds between which it is drawn for each container.",
      "oneOf": [
        {"$ref": "#/definitions/quantity"},
        {"type": "object", "required": ["min", "max"], "additionalProperties": false, "properties": {"min": {"$ref": "#/definitions/quantity"}, "max": {"$ref": "#/definitions/quantity"}}}
      ]
    },
    "component": {
      "description": "All controllers, the scheduler, or one controller, which then has a process of its own.",
      "enum": ["controllers", "scheduler", @controllers@]
    },
    "names": {"type": "array", "items": {"type": "string"}},
    "pool": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "name": {"type": "string", "description": "Nodes are called name-0, name-1 and so on."},
        "count": {"type": "integer", "minimum": 1, "maximum": 65000},
        "capacity": {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "cpu": {"$ref": "#/definitions/quantity"},
            "memory": {"$ref": "#/definitions/quantity"},
            "pods": {"$ref": "#/definitions/quantity"},
            "ephemeral-storage": {"$ref": "#/definitions/quantity", "description": "Its disk, for images and all that pods write: 100Gi."}
          }
        },
        "evictionHard": {
          "type": "object",
          "description": "What its node agents keep free, beside Kubernetes' own thresholds; 0% turns one off.",
          "additionalProperties": false,
          "properties": {@signals@}
        },
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "zones": {"$ref": "#/definitions/names", "description": "Nodes take them in turn."},
        "taints": {"type": "array", "items": {"type": "object"}},
        "clockSkew": {"$ref": "#/definitions/signedDistribution", "description": "How far the clocks are off, drawn for each machine."}
      }
    },
    "image": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "match": {"type": "string", "description": "A reference, where * stands for any text."},
        "pull": {"$ref": "#/definitions/distribution"},
        "preloaded": {"type": "boolean", "description": "On every node from the start."},
        "missing": {"type": "boolean", "description": "The registry does not have it."},
        "size": {"$ref": "#/definitions/quantity", "description": "What it takes of a machine's disk: 64Mi."},
        "start": {"$ref": "#/definitions/distribution"},
        "startError": {"type": "string", "description": "What the runtime answers instead of starting it."},
        "ready": {"$ref": "#/definitions/distribution"},
        "neverReady": {"type": "boolean"},
        "stop": {"$ref": "#/definitions/distribution"},
        "ignoresSigterm": {"type": "boolean", "description": "It is killed when its grace is over."},
        "exitAfter": {"$ref": "#/definitions/distribution"},
        "exitCode": {"type": "integer"},
        "crash": {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "atStart": {"$ref": "#/definitions/share", "description": "Of all starts."},
            "after": {"$ref": "#/definitions/distribution", "description": "Drawn at each start: {exponential: {mean: 1h}} is a mean time between crashes."},
            "exitCode": {"type": "integer"}
          }
        },
        "uses": {
          "type": "object",
          "description": "What one container uses while it runs.",
          "additionalProperties": false,
          "properties": {
            "cpu": {"$ref": "#/definitions/quantity"},
            "memory": {"$ref": "#/definitions/quantity"},
            "memoryGrowthPerSecond": {"$ref": "#/definitions/quantity", "description": "Until its limit, at which it is killed."},
            "disk": {"$ref": "#/definitions/bytes", "description": "Written to its layer at its start."},
            "diskGrowthPerSecond": {"$ref": "#/definitions/bytes", "description": "Written there each second from then on."},
            "logGrowthPerSecond": {"$ref": "#/definitions/bytes", "description": "Written to its log, which is rotated at 50Mi."},
            "volumeGrowthPerSecond": {"$ref": "#/definitions/bytes", "description": "Written to each of its emptyDir volumes that is not in memory."},
            "cpuPerRequest": {"$ref": "#/definitions/duration"},
            "memoryPerRequest": {"$ref": "#/definitions/quantity"}
          }
        },
        "load": {
          "type": "object",
          "description": "What all running containers share.",
          "additionalProperties": false,
          "properties": {"cpu": {"$ref": "#/definitions/quantity"}, "requests": {"type": "integer", "description": "A second."}}
        },
        "capacity": {"type": "integer", "minimum": 1, "description": "Requests a second that one container answers; beyond, its probes fail in proportion."},
        "asks": {
          "type": "object",
          "description": "What it asks the API server for, with the token of its pod.",
          "required": ["list"],
          "additionalProperties": false,
          "properties": {"list": {"$ref": "#/definitions/names", "description": "All objects of these kinds."}, "every": {"$ref": "#/definitions/duration"}}
        },
        "needs": {
          "type": "object",
          "description": "What it cannot work without.",
          "additionalProperties": false,
          "properties": {"dns": {"type": "boolean"}, "service": {"type": "string"}, "api": {"type": "boolean", "description": "Answers to what it asks."}, "else": {"enum": ["notReady", "crash", "spin"]}, "cpu": {"$ref": "#/definitions/quantity", "description": "What it wants while it spins."}}
        }
      }
    },
    "action": {
      "type": "object",
      "description": "`at` or `when`, and one action or fault.",
      "minProperties": 1,
      "maxProperties": 3,
      "additionalProperties": false,
      "properties": {
        "at": {"$ref": "#/definitions/duration"},
        "when": {"$ref": "#/definitions/when"},
        "after": {"$ref": "#/definitions/duration", "description": "So long after what `when` waits for."},
        "apply": {"$ref": "#/definitions/manifests"},
        "setImage": {"type": "object", "required": ["kind", "name", "container", "image"], "additionalProperties": false, "properties": {"kind": {"type": "string"}, "namespace": {"type": "string"}, "name": {"type": "string"}, "container": {"type": "string"}, "image": {"type": "string"}}},
        "scale": {"type": "object", "required": ["kind", "name", "replicas"], "additionalProperties": false, "properties": {"kind": {"type": "string"}, "namespace": {"type": "string"}, "name": {"type": "string"}, "replicas": {"type": "integer", "minimum": 0}}},
        "patch": {"type": "object", "required": ["kind", "name", "patch"], "additionalProperties": false, "properties": {"kind": {"type": "string"}, "namespace": {"type": "string"}, "name": {"type": "string"}, "type": {"enum": ["strategic", "merge", "json"]}, "patch": {"type": ["object", "array"]}}},
        "delete": {"type": "object", "required": ["kind", "name"], "additionalProperties": false, "properties": {"kind": {"type": "string"}, "namespace": {"type": "string"}, "name": {"type": "string"}, "propagation": {"enum": ["Default", "Orphan", "Background", "Foreground"]}}},
        "cordon": {"$ref": "#/definitions/choice"},
        "uncordon": {"$ref": "#/definitions/choice"},
        "drain": {"oneOf": [{"const": "all"}, {"type": "object", "additionalProperties": false, "properties": {"names": {"$ref": "#/definitions/names"}, "pool": {"type": "string"}, "zone": {"type": "string"}, "runs": {"type": "string"}, "count": {"type": "integer", "minimum": 1}, "timeout": {"$ref": "#/definitions/duration"}, "gracePeriodSeconds": {"type": "integer", "minimum": 0}}}]},
        "upgradePool": {"type": "object", "required": ["pool"], "additionalProperties": false, "properties": {"pool": {"type": "string"}, "maxUnavailable": {"type": "integer", "minimum": 1}, "replace": {"$ref": "#/definitions/distribution"}, "drainTimeout": {"$ref": "#/definitions/duration"}, "labels": {"type": "object", "additionalProperties": {"type": "string"}}}},
        "startNodes": {"$ref": "#/definitions/choice"},
        "healNodes": {"$ref": "#/definitions/choice"},
        "setLoad": {"type": "object", "required": ["image"], "additionalProperties": false, "properties": {"image": {"type": "string"}, "cpu": {"$ref": "#/definitions/quantity"}, "requests": {"type": "integer", "minimum": 0}}},
        "restart": {"$ref": "#/definitions/component"},
@faults@
      }
    },
    "fault": {
      "type": "object",
      "description": "When, for how long, and one fault.",
      "additionalProperties": false,
      "properties": {
        "name": {"type": "string"},
        "at": {"$ref": "#/definitions/duration"},
        "when": {"$ref": "#/definitions/when"},
        "after": {"$ref": "#/definitions/duration", "description": "So long after what `when` waits for."},
        "random": {
          "type": "object",
          "required": ["every"],
          "additionalProperties": false,
          "properties": {"every": {"$ref": "#/definitions/distribution"}, "from": {"$ref": "#/definitions/duration"}}
        },
        "inRuns": {"$ref": "#/definitions/share", "description": "Only in so many of all runs, drawn once for a whole run."},
        "for": {"$ref": "#/definitions/distribution", "description": "Without it, until everything heals."},
@faults@
      }
    },
    "write": {"type": "object", "additionalProperties": false, "properties": {"verb": {"enum": ["create", "update", "patch", "delete", "deletecollection"]}, "kind": {"type": "string"}, "namespace": {"type": "string"}, "name": {"type": "string"}, "subresource": {"type": "string"}, "component": {"type": "string"}}},
    "when": {
      "type": "object",
      "description": "What is waited for: a write, a component between two writes, or that an object, number or metric becomes so.",
      "additionalProperties": false,
      "properties": {
        "write": {"type": "object", "additionalProperties": false, "properties": {"verb": {"enum": ["create", "update", "patch", "delete", "deletecollection"]}, "kind": {"type": "string"}, "namespace": {"type": "string"}, "name": {"type": "string"}, "subresource": {"type": "string"}, "component": {"type": "string"}, "count": {"type": "integer", "minimum": 1, "description": "The how-manieth."}}},
        "between": {"type": "object", "required": ["first", "then"], "additionalProperties": false, "description": "After `first` has succeeded, as `then` leaves: it gets lost.", "properties": {"first": {"$ref": "#/definitions/write"}, "then": {"$ref": "#/definitions/write"}}},
        "object": {"$ref": "#/definitions/reference"},
        "matches": {"type": "object"},
        "count": {"$ref": "#/definitions/count"},
        "list": {"$ref": "#/definitions/list"},
        "metric": {"$ref": "#/definitions/metric"},
        "cel": {"type": "string"}
      }
    },
    "choice": {
      "description": "All nodes; or those of these names, of a pool, of a zone, that run a pod with these labels, all of them or so many drawn by the seed.",
      "oneOf": [
        {"const": "all"},
        {
          "type": "object",
          "additionalProperties": false,
          "properties": {"names": {"$ref": "#/definitions/names"}, "pool": {"type": "string"}, "zone": {"type": "string"}, "runs": {"type": "string"}, "count": {"type": "integer", "minimum": 1}}
        }
      ]
    },
    "reference": {
      "type": "object",
      "required": ["kind", "name"],
      "additionalProperties": false,
      "properties": {"kind": {"type": "string"}, "namespace": {"type": "string"}, "name": {"type": "string"}}
    },
    "count": {"type": "object", "required": ["kind"], "additionalProperties": false, "properties": {"kind": {"type": "string"}, "namespace": {"type": "string"}, "labelSelector": {"type": "string"}, "fieldSelector": {"type": "string"}, "condition": {"type": "string", "description": "Only objects on which it is True count."}, "equals": {"type": "integer"}, "atLeast": {"type": "integer"}, "atMost": {"type": "integer"}}},
    "list": {"type": "object", "required": ["kind"], "additionalProperties": false, "properties": {"kind": {"type": "string"}, "namespace": {"type": "string"}, "labelSelector": {"type": "string"}, "fieldSelector": {"type": "string"}, "condition": {"type": "string"}}},
    "metric": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {"name": {"description": "A family of /metrics.", "anyOf": [{"enum": [@metrics@]}, {"type": "string", "pattern": "_(count|sum|bucket)$"}]}, "labels": {"type": "object", "additionalProperties": {"type": "string"}}, "equals": {"type": "integer"}, "atLeast": {"type": "integer"}, "atMost": {"type": "integer"}}},
    "expectation": {
      "type": "object",
      "description": "One of object (with matches or cel), count, list (with cel) and metric.",
      "additionalProperties": false,
      "oneOf": [{"required": ["object"]}, {"required": ["count"]}, {"required": ["list", "cel"]}, {"required": ["metric"]}],
      "properties": {
        "name": {"type": "string"},
        "after": {"$ref": "#/definitions/duration"},
        "within": {"$ref": "#/definitions/duration", "description": "It must hold at some moment of this time after `after`."},
        "always": {"type": "boolean", "description": "It must hold at every moment from `after` on."},
        "never": {"type": "boolean", "description": "It must hold at no moment from `after` on."},
        "stableFor": {"$ref": "#/definitions/duration", "description": "It must come to hold, and then hold so long without a break."},
        "object": {"$ref": "#/definitions/reference"},
        "matches": {"type": "object", "description": "The part that the object must have."},
        "count": {"$ref": "#/definitions/count"},
        "list": {"$ref": "#/definitions/list"},
        "metric": {"$ref": "#/definitions/metric"},
        "cel": {"type": "string", "description": "An expression over `object`, or beside list over `objects`."}
      }
    }
  }
}
)";

// Each in its full form and in its short one.
std::string controllers() {
  constexpr std::string_view kSuffix = "-controller";
  std::vector<std::string> names;
  for (const auto& name : control::controller_names()) {
    names.push_back(cat("\"", name, "\""));
    if (name.ends_with(kSuffix)) names.push_back(cat("\"", name.substr(0, name.size() - kSuffix.size()), "\""));
  }
  return join(names, ", ");
}

std::string metrics() {
  std::vector<std::string> names;
  for (const auto& family : metric_families()) names.push_back(cat("\"", family.name, "\""));
  return join(names, ", ");
}

std::string signals() {
  const std::string known = control::known_eviction_signals();
  std::vector<std::string> properties;
  for (const auto signal : split(known, ',')) {
    properties.push_back(cat("\"", trim(signal), "\": {\"type\": [\"string\", \"integer\"]}"));
  }
  return join(properties, ", ");
}

std::string replaced(std::string text, std::string_view mark, std::string_view by) {
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + by.size())) text.replace(at, mark.size(), by);
  return text;
}

}  // namespace

std::string_view scenario_schema() {
  static const std::string schema = [] {
    std::string text(kSchema);
    text = replaced(std::move(text), "@faults@", kFaultSchemas.substr(1));
    text = replaced(std::move(text), "@controllers@", controllers());
    text = replaced(std::move(text), "@metrics@", metrics());
    return replaced(std::move(text), "@signals@", signals());
  }();
  return schema;
}

}  // namespace minik::sim
