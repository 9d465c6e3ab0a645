#include "sim/scenario_schema.h"

namespace minik::sim {

std::string_view scenario_schema() {
  return R"({
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
        "seed": {"type": "integer", "description": "Chooses all that is drawn; --seed replaces it."},
        "duration": {"$ref": "#/definitions/duration", "description": "Virtual time from start to end."},
        "nodeMonitorGracePeriod": {"$ref": "#/definitions/duration", "description": "How long a node may be silent before it counts as lost."},
        "nodes": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/pool"}},
        "images": {"type": "array", "description": "How containers behave; the first match counts.", "items": {"$ref": "#/definitions/image"}},
        "timeline": {"type": "array", "items": {"$ref": "#/definitions/action"}},
        "expect": {"type": "array", "description": "What must hold, checked every virtual second.", "items": {"$ref": "#/definitions/expectation"}}
      }
    }
  },
  "definitions": {
    "duration": {"type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$"},
    "spread": {
      "description": "One duration, or bounds between which each is drawn.",
      "oneOf": [
        {"$ref": "#/definitions/duration"},
        {
          "type": "object",
          "additionalProperties": false,
          "properties": {"min": {"$ref": "#/definitions/duration"}, "max": {"$ref": "#/definitions/duration"}}
        }
      ]
    },
    "quantity": {"type": ["string", "integer"]},
    "names": {"type": "array", "items": {"type": "string"}},
    "pool": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "name": {"type": "string", "description": "Nodes are called name-1, name-2 and so on."},
        "count": {"type": "integer", "minimum": 1, "maximum": 65000},
        "capacity": {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "cpu": {"$ref": "#/definitions/quantity"},
            "memory": {"$ref": "#/definitions/quantity"},
            "pods": {"$ref": "#/definitions/quantity"}
          }
        },
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "zones": {"$ref": "#/definitions/names", "description": "Nodes take them in turn."},
        "taints": {"type": "array", "items": {"type": "object"}}
      }
    },
    "image": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "match": {"type": "string", "description": "A reference, where * stands for any text."},
        "pull": {"$ref": "#/definitions/spread"},
        "preloaded": {"type": "boolean", "description": "On every node from the start."},
        "missing": {"type": "boolean", "description": "The registry does not have it."},
        "start": {"$ref": "#/definitions/spread"},
        "startError": {"type": "string", "description": "What the runtime answers instead of starting it."},
        "ready": {"$ref": "#/definitions/spread"},
        "neverReady": {"type": "boolean"},
        "stop": {"$ref": "#/definitions/spread"},
        "exitAfter": {"$ref": "#/definitions/spread"},
        "exitCode": {"type": "integer"}
      }
    },
    "action": {
      "type": "object",
      "required": ["at"],
      "minProperties": 2,
      "maxProperties": 2,
      "additionalProperties": false,
      "properties": {
        "at": {"$ref": "#/definitions/duration"},
        "apply": {"oneOf": [{"type": "object"}, {"type": "array", "minItems": 1, "items": {"type": "object"}}]},
        "setImage": {
          "type": "object",
          "required": ["kind", "name", "container", "image"],
          "additionalProperties": false,
          "properties": {
            "kind": {"type": "string"},
            "namespace": {"type": "string"},
            "name": {"type": "string"},
            "container": {"type": "string"},
            "image": {"type": "string"}
          }
        },
        "scale": {
          "type": "object",
          "required": ["kind", "name", "replicas"],
          "additionalProperties": false,
          "properties": {
            "kind": {"type": "string"},
            "namespace": {"type": "string"},
            "name": {"type": "string"},
            "replicas": {"type": "integer", "minimum": 0}
          }
        },
        "delete": {"$ref": "#/definitions/reference"},
        "crashNodes": {"$ref": "#/definitions/choice"},
        "startNodes": {"$ref": "#/definitions/choice"},
        "partitionNodes": {"$ref": "#/definitions/choice"},
        "healNodes": {"$ref": "#/definitions/choice"},
        "restart": {"enum": ["controllers", "scheduler"]}
      }
    },
    "choice": {
      "description": "All nodes, nodes by name, or so many drawn by the seed.",
      "oneOf": [
        {"const": "all"},
        {
          "type": "object",
          "additionalProperties": false,
          "properties": {"names": {"$ref": "#/definitions/names"}, "count": {"type": "integer", "minimum": 1}}
        }
      ]
    },
    "reference": {
      "type": "object",
      "required": ["kind", "name"],
      "additionalProperties": false,
      "properties": {"kind": {"type": "string"}, "namespace": {"type": "string"}, "name": {"type": "string"}}
    },
    "expectation": {
      "type": "object",
      "description": "One of object (with matches or cel), count, and list (with cel).",
      "additionalProperties": false,
      "oneOf": [{"required": ["object"]}, {"required": ["count"]}, {"required": ["list", "cel"]}],
      "properties": {
        "name": {"type": "string"},
        "after": {"$ref": "#/definitions/duration"},
        "within": {"$ref": "#/definitions/duration", "description": "It must hold at some moment of this time after `after`."},
        "always": {"type": "boolean", "description": "It must hold at every moment from `after` on."},
        "object": {"$ref": "#/definitions/reference"},
        "matches": {"type": "object", "description": "The part that the object must have."},
        "count": {
          "type": "object",
          "required": ["kind"],
          "additionalProperties": false,
          "properties": {
            "kind": {"type": "string"},
            "namespace": {"type": "string"},
            "labelSelector": {"type": "string"},
            "fieldSelector": {"type": "string"},
            "condition": {"type": "string", "description": "Only objects on which it is True count."},
            "equals": {"type": "integer"},
            "atLeast": {"type": "integer"},
            "atMost": {"type": "integer"}
          }
        },
        "list": {
          "type": "object",
          "required": ["kind"],
          "additionalProperties": false,
          "properties": {
            "kind": {"type": "string"},
            "namespace": {"type": "string"},
            "labelSelector": {"type": "string"},
            "fieldSelector": {"type": "string"}
          }
        },
        "cel": {"type": "string", "description": "An expression over `object`, or beside list over `objects`."}
      }
    }
  }
}
)";
}

}  // namespace minik::sim
