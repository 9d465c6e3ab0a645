// The Kubernetes REST conventions: how an HTTP request names an ApiRequest, and how its outcome becomes
// an HTTP response. Pure functions on values; sockets, TLS and threads are minik/net's.
//
//   GET /apis/apps/v1/namespaces/default/deployments/web/scale?dryRun=All
//       \group_/\v/            \namespace/\resource_/\name/\subresource/
//
// parse_request() and decode_body() touch no state of the cluster but the schema and may run on any
// thread; what they return is handed to ApiServer on the control thread. Errors become a metav1.Status
// with the code, reason and message that a kube-apiserver gives.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/base/result.h"
#include "control/client/request.h"
#include "control/base/time.h"
#include "control/object/value.h"

namespace minik::control {

class Schema;
struct ResourceInfo;

// As it came off the wire. Header names are lower case; query is undecoded, without the '?'.
struct HttpCall {
  std::string method;
  std::string path;
  std::string query;
  std::map<std::string, std::string> headers;
  std::string body;
};

// How the client wants objects: as they are, as a Table (kubectl get), or metadata only.
enum class Representation : uint8_t { kObject, kTable, kPartialMetadata };

struct ResponseFormat {
  Representation representation = Representation::kObject;
  // Table rows carry the object's "Metadata" (default), the whole "Object", or "None".
  std::string include_object = "Metadata";
  bool pretty = false;  // indented; long lists and watches are not
  bool yaml = false;
};

// A request for a resource of the schema.
struct ResourceCall {
  ApiRequest request;
  ResponseFormat format;
  std::vector<std::string> warnings;  // of the body's text, for the answer
  // For connect verbs and logs: the query parameters as they came, repeated ones repeated.
  std::vector<std::pair<std::string, std::string>> parameters;
};

// Everything else under the root: /version, /healthz, /api, /apis, /openapi/v3, /metrics…
struct PlainCall {
  std::string path;
  ResponseFormat format;
  bool aggregated_discovery = false;  // Accept names APIGroupDiscoveryList
  bool openapi_protobuf = false;      // …gnostic's form of OpenAPI v2
  std::string if_none_match = {};     // the version that the client has
  bool open_metrics = false;          // Accept names OpenMetrics
  std::vector<std::pair<std::string, std::string>> parameters;
};

using ParsedCall = std::variant<ResourceCall, PlainCall>;

// Path, query, Accept and Content-Type; decodes the body into request.body (JSON or YAML).
Result<ParsedCall> parse_call(const Schema& schema, const HttpCall& call);

// metav1.Status of a failure. `resource` and `name` fill its details; null where the request named none.
Value status_of(const Error& error, const ResourceInfo* resource = nullptr, std::string_view name = {});

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::map<std::string, std::string> headers;  // "retry-after"
  std::vector<std::string> warnings;           // one Warning header each
  std::string body;
};

// What an answer shows, before it is text: the objects as they are, a Table, or their metadata.
Value shown(const Schema& schema, const ResourceCall& call, const ApiResponse& response, WallTime now);
HttpReply reply_to(const Schema& schema, const ResourceCall& call, const Result<ApiResponse>& result, WallTime now);
HttpReply reply_with(const Value& object, const ResponseFormat& format, int status = 200);
HttpReply reply_with(const Error& error, const ResponseFormat& format = {});

// One frame of a watch, {"type":"ADDED","object":…} and a newline, in the format that was asked for.
// Tables carry their column definitions in every frame, as a kube-apiserver sends them.
std::string encode_watch_event(const Schema& schema, const ResourceCall& call, const WatchEvent& event, WallTime now);

}  // namespace minik::control
