#include "control/api/http.h"

#include <algorithm>
#include <map>
#include <optional>

#include "control/api/continue_token.h"
#include "control/api/options.h"
#include "control/api/strategy.h"
#include "control/api/twin_kinds.h"
#include "control/api/warnings.h"
#include "control/base/text.h"
#include "control/base/utf8.h"
#include "control/object/given_status.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/refusal_warnings.h"
#include "control/object/yaml.h"
#include "control/schema/custom_kind.h"
#include "control/schema/decode.h"
#include "control/schema/schema.h"
#include "control/schema/table.h"

namespace minik::control {

namespace {

using Parameters = QueryParameters;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text, bool plus_is_space) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

Parameters parse_query(std::string_view query) {
  Parameters parameters;
  if (query.empty()) return parameters;
  for (const auto part : split(query, '&')) {
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    const auto value = equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    parameters.emplace_back(percent_decoded(part.substr(0, equals), true), percent_decoded(value, true));
  }
  return parameters;
}

std::string_view header(const HttpCall& call, std::string_view name) {
  const auto found = call.headers.find(std::string(name));
  return found == call.headers.end() ? std::string_view() : std::string_view(found->second);
}

// What one choice of an Accept header asks for; nothing where it is not served. The forms of meta.k8s.io/v1 are; old
// kubectls ask for those of v1beta1 as well, after these.
std::optional<ResponseFormat> served_as(std::string_view choice) {
  std::map<std::string_view, std::string_view> parameters;
  std::string_view type;
  for (const auto part : split(choice, ';')) {
    if (type.empty()) {
      type = trim(part);
      continue;
    }
    const size_t equals = part.find('=');
    if (equals != std::string_view::npos) parameters[trim(part.substr(0, equals))] = trim(part.substr(equals + 1));
  }
  ResponseFormat format;
  format.yaml = type == "application/yaml";
  if (!format.yaml && type != "application/json" && type != "application/*" && type != "*/*") return std::nullopt;
  const auto as = parameters["as"];
  if (as.empty()) return format;
  if (parameters["g"] != "meta.k8s.io" || parameters["v"] != "v1") return std::nullopt;
  if (as == "Table") {
    format.representation = Representation::kTable;
  } else if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") {
    format.representation = Representation::kPartialMetadata;
  } else {
    return std::nullopt;
  }
  return format;
}

// The first of the client's choices that is served.
Result<ResponseFormat> parse_accept(std::string_view accept) {
  if (trim(accept).empty()) return ResponseFormat{};
  for (const auto choice : split(accept, ',')) {
    if (const auto format = served_as(choice)) return *format;
  }
  return Error(ErrorCode::kNotAcceptable,
               "only the following media types are accepted: application/json, application/yaml");
}

// For a person: who asks for it, and what people ask with, unless it is refused. As kube-apiserver tells them.
bool is_pretty(const HttpCall& call, const Parameters& parameters) {
  const auto asked = std::ranges::find(parameters, "pretty", &Parameters::value_type::first);
  if (asked != parameters.end() && !asked->second.empty()) {
    constexpr std::string_view kYes[] = {"1", "t", "T", "true", "TRUE", "True"};
    return std::ranges::find(kYes, asked->second) != std::end(kYes);
  }
  const std::string_view agent = header(call, "user-agent");
  return agent.starts_with("curl") || agent.starts_with("Wget") || agent.starts_with("Mozilla/5.0");
}

Result<Value> parse_body(const HttpCall& call, std::vector<std::string>& duplicates) {
  const auto type = trim(header(call, "content-type"));
  if (call.body.empty()) return Value();
  if (type.starts_with("application/vnd.kubernetes.protobuf")) {
    return Error(ErrorCode::kUnsupportedMediaType,
                 "the body of the request was in an unknown format - accepted media types include: "
                 "application/json, application/yaml");
  }
  if (type.starts_with("application/yaml") || type.starts_with("application/apply-patch+yaml")) {
    MINIK_ASSIGN(const auto documents, parse_yaml(call.body, "body"));
    if (documents.size() != 1) return Error(ErrorCode::kBadRequest, "the body must hold one YAML document");
    return documents[0].value;
  }
  // Patches are JSON under names of their own; who says nothing means JSON.
  const bool json = type.empty() || type.starts_with("application/json") || type.find("patch+json") != type.npos;
  if (!json) {
    return Error(ErrorCode::kUnsupportedMediaType,
                 "the body of the request was in an unknown format - accepted media types include: "
                 "application/json, application/yaml");
  }
  return parse_json(call.body, &duplicates);
}

// The decoder complains of unknown fields later and knows no duplicates any more: here both are named.
Error strict_error(const ResourceInfo& resource, const ApiRequest& request, const std::vector<std::string>& duplicates) {
  std::vector<std::string> complaints;
  for (const auto& field : duplicates) complaints.push_back(cat("duplicate field ", quoted(field)));
  const bool whole = request.verb == Verb::kCreate || request.verb == Verb::kUpdate;
  if (!whole || !resource.type || !request.subresource.empty())
    return Error(ErrorCode::kBadRequest, strict_decoding_sentence(complaints));
  (void)decode_body(resource, request.body, Value(), FieldValidation::kWarn, complaints).ok();
  return cannot_be_handled(resource.api_version, resource.kind, resource.kind, strict_decoding_sentence(complaints));
}

Result<PatchType> patch_type(std::string_view content_type) {
  if (content_type.starts_with("application/json-patch+json")) return PatchType::kJson;
  if (content_type.starts_with("application/merge-patch+json")) return PatchType::kMerge;
  if (content_type.starts_with("application/strategic-merge-patch+json")) return PatchType::kStrategicMerge;
  if (content_type.starts_with("application/apply-patch+yaml")) return PatchType::kApply;
  return Error(ErrorCode::kUnsupportedMediaType,
               "the body of the request was in an unknown format - accepted media types include: "
               "application/json-patch+json, application/merge-patch+json, "
               "application/strategic-merge-patch+json, application/apply-patch+yaml");
}

// Logs and connections carry bytes of their own.
bool is_stream(const std::vector<std::string>& path) {
  constexpr std::string_view kStreams[] = {"log", "exec", "attach", "portforward", "proxy"};
  return std::ranges::any_of(path, [&](const std::string& part) {
    return std::ranges::find(kStreams, part) != std::end(kStreams);
  });
}

Error no_such_resource() {
  return Error(ErrorCode::kNotFound, "the server could not find the requested resource");
}

Error no_such_method() {
  return Error(ErrorCode::kMethodNotAllowed, "the server does not allow this method on the requested resource");
}

constexpr std::string_view kConnections[] = {"exec", "attach", "portforward", "proxy"};

Result<Verb> verb_of(const HttpCall& call, const ApiRequest& request, const Parameters& parameters) {
  const bool named = !request.name.empty();
  if (std::ranges::find(kConnections, request.subresource) != std::end(kConnections)) return Verb::kConnect;
  if (call.method == "GET") {
    return query_flag(parameters, "watch") ? Verb::kWatch : named ? Verb::kGet : Verb::kList;
  }
  if (call.method == "POST") return named && request.subresource.empty() ? Result<Verb>(no_such_method()) : Verb::kCreate;
  if (call.method == "PUT" && named) return Verb::kUpdate;
  if (call.method == "PATCH" && named) return Verb::kPatch;
  if (call.method == "DELETE") return named ? Verb::kDelete : Verb::kDeleteCollection;
  return no_such_method();
}

// The kind under which the store has it, where two served kinds are one.
Result<ParsedCall> parse_resource(const Schema& schema, const HttpCall& call, std::vector<std::string> path,
                                  PlainCall plain) {
  const bool core = path[0] == "api";
  const size_t at = core ? 2 : 3;
  const std::string group = core ? std::string() : path[1];
  const std::string& version = path[at - 1];
  ResourceCall result;
  result.format = plain.format;
  result.parameters = std::move(plain.parameters);
  ApiRequest& request = result.request;
  std::vector<std::string> rest(path.begin() + static_cast<ptrdiff_t>(at), path.end());
  if (rest[0] == "watch" && rest.size() > 1) {
    // The old spelling of watches: /api/v1/watch/namespaces/…
    rest.erase(rest.begin());
    result.parameters.emplace(result.parameters.begin(), "watch", "true");
  }
  // /namespaces/NAME and its subresources are the namespace itself, longer paths what is in it.
  const bool in_namespace = rest[0] == "namespaces" && rest.size() > 2 && rest[2] != "status" && rest[2] != "finalize";
  if (in_namespace) {
    request.namespace_ = rest[1];
    rest.erase(rest.begin(), rest.begin() + 2);
  }
  const ResourceInfo* resource = schema.find(group, version, rest[0]);
  if (!resource) return no_such_resource();
  if (in_namespace && !resource->namespaced) return no_such_resource();
  request.kind = resource->id;
  if (rest.size() > 1) request.name = rest[1];
  if (rest.size() > 2) request.subresource = rest[2];
  if (rest.size() > 3 && request.subresource != "proxy") return no_such_resource();
  if (!request.subresource.empty() && !resource->subresource(request.subresource)) return no_such_resource();
  MINIK_ASSIGN(request.verb, verb_of(call, request, result.parameters));
  MINIK_TRY(read_options(request.verb, result.parameters, request.options));
  request.options.user_agent = header(call, "user-agent");
  const bool log = request.subresource == "log";
  const SubresourceInfo* part = request.subresource.empty() ? nullptr : resource->subresource(request.subresource);
  if (part != nullptr && request.verb != Verb::kConnect && !part->has_verb(verb_name(request.verb))) {
    return no_such_method();
  }
  if (request.subresource.empty() && !resource->has_verb(verb_name(request.verb))) return no_such_method();
  if (resource->namespaced && request.namespace_.empty() && !log) {
    // Across namespaces there are lists and watches alone.
    const bool reads = request.verb == Verb::kList || request.verb == Verb::kWatch;
    if (!request.name.empty() || (!reads && resource->custom)) return no_such_resource();
    if (!reads) return no_such_method();
  }
  for (const auto& [name, value] : result.parameters) {
    if (name != "includeObject" || value.empty()) continue;
    if (value != "Metadata" && value != "Object" && value != "None") {
      return Error(ErrorCode::kBadRequest, cat("unrecognized includeObject value ", quoted(value)));
    }
    result.format.include_object = value;
  }
  if (request.verb == Verb::kPatch) {
    MINIK_ASSIGN(request.patch_type, patch_type(trim(header(call, "content-type"))));
    MINIK_TRY(check_patch_options(request.patch_type, request.options));
  }
  if (const auto warning = kind_warning(*resource); !warning.empty()) result.warnings.emplace_back(warning);
  if (request.verb != Verb::kConnect) {
    std::vector<std::string> duplicates;
    MINIK_ASSIGN(request.body, parse_body(call, duplicates));
    if (!duplicates.empty() && request.options.field_validation == FieldValidation::kStrict) {
      return strict_error(*resource, request, duplicates);
    }
    if (request.options.field_validation == FieldValidation::kWarn) {
      for (const auto& field : duplicates) result.warnings.push_back(cat("duplicate field ", quoted(field)));
    }
    if (request.verb == Verb::kDelete || request.verb == Verb::kDeleteCollection) {
      MINIK_TRY(read_delete_options(request.body, request.options));
    }
    // Objects that name their namespace only on the URL, or their name only in the body, are one.
    if (request.verb == Verb::kCreate && !request.body.is_map()) {
      return Error(ErrorCode::kBadRequest, "the request needs an object in its body");
    }
    // What is built in is known by the URL; a custom object says itself what it is.
    const bool whole = request.verb == Verb::kCreate || request.verb == Verb::kUpdate;
    if (whole && resource->custom && request.subresource != "scale" && request.body[keys::kKind].as_string().empty()) {
      return Error(ErrorCode::kBadRequest, cat("Object 'Kind' is missing in '", to_json(request.body), "'"));
    }
  }
  return ParsedCall(std::move(result));
}

// What comes in these may go out again in JSON: in a message, as a manager's name.
Result<void> check_text(const HttpCall& call, const std::vector<std::string>& path, const Parameters& parameters) {
  const auto refused = [](std::string_view where) {
    return Error(ErrorCode::kBadRequest, cat("the request's ", where, " must be UTF-8"));
  };
  for (const auto& part : path) {
    if (!is_utf8(part)) return refused("path");
  }
  for (const auto& [name, value] : parameters) {
    if (!is_utf8(name) || !is_utf8(value)) return refused("query");
  }
  for (const auto& [name, value] : call.headers) {
    if (!is_utf8(value)) return refused(cat("header ", name));
  }
  return {};
}

}  // namespace

Result<ParsedCall> parse_call(const Schema& schema, const HttpCall& call) {
  PlainCall plain;
  plain.path = call.path;
  plain.parameters = parse_query(call.query);
  // A page is what it is (text, metrics); only answers about resources come in a form of choice.
  auto format = parse_accept(header(call, "accept"));
  if (format) plain.format = *format;
  plain.format.pretty = is_pretty(call, plain.parameters);
  plain.open_metrics = header(call, "accept").find("application/openmetrics-text") != std::string_view::npos;
  plain.openapi_protobuf = header(call, "accept").find("proto-openapi.spec.v2") != std::string_view::npos;
  plain.if_none_match = header(call, "if-none-match");
  plain.aggregated_discovery = header(call, "accept").find("as=APIGroupDiscoveryList") != std::string_view::npos;
  std::vector<std::string> path;
  for (const auto part : split(call.path, '/')) {
    if (!part.empty()) path.push_back(percent_decoded(part, false));
  }
  MINIK_TRY(check_text(call, path, plain.parameters));
  const bool resource = (path.size() >= 3 && path[0] == "api") || (path.size() >= 4 && path[0] == "apis");
  if (resource) {
    if (!format && !is_stream(path)) return std::move(format).error();
    return parse_resource(schema, call, std::move(path), std::move(plain));
  }
  if (call.method != "GET" && call.method != "HEAD") return no_such_method();
  return ParsedCall(std::move(plain));
}

// Messages quote what clients sent, which need not be text.
Value status_of(const Error& with_warnings, const ResourceInfo* resource, std::string_view name) {
  if (Value given = given_status(with_warnings); given.is_map()) return given;
  Error error = with_warnings;
  take_warnings(error);
  std::vector<Value> causes;
  for (const auto& cause : error.causes) {
    causes.push_back(Value::map({{keys::kReason, cause.reason.empty() ? Value() : Value(cause.reason)},
                                 {keys::kMessage, as_utf8(cause.message)},
                                 {keys::kField, cause.field.empty() ? Value() : Value(as_utf8(cause.field))}}));
  }
  // Invalid names the kind, everything else the resource, as Kubernetes does.
  const bool invalid = error.code == ErrorCode::kInvalid;
  Value details;
  // Without causes it is the request that is bad and not the object, which clients would name instead of the message.
  if (invalid && causes.empty()) resource = nullptr, name = {};
  if (resource || !causes.empty() || error.retry_after_seconds > 0) {
    details = Value::map(
        {{keys::kName, name.empty() ? Value() : Value(as_utf8(name))},
         {keys::kGroup, resource && !resource->group.empty() ? Value(resource->group) : Value()},
         {keys::kKind, resource ? Value(invalid ? resource->kind : resource->plural) : Value()},
         {keys::kCauses, causes.empty() ? Value() : Value::array(std::move(causes))},
         {keys::kRetryAfterSeconds, error.retry_after_seconds > 0 ? Value(error.retry_after_seconds) : Value()}});
  }
  const auto reason = code_reason(error.code);
  return Value::map({{keys::kApiVersion, "v1"},
                     {keys::kKind, "Status"},
                     {keys::kMetadata, Value::empty_map()},
                     {keys::kStatus, "Failure"},
                     {keys::kMessage, as_utf8(error.message)},
                     {keys::kReason, reason.empty() ? Value() : Value(reason)},
                     {keys::kDetails, details},
                     {keys::kCode, error.http_status()}});
}

namespace {

// Stored objects do not carry their kind: it is added where an object stands for itself.
Value with_kind(const ResourceInfo& resource, const Value& object) {
  if (object[keys::kKind].has_value()) return object;
  return object.with(keys::kApiVersion, resource.api_version).with(keys::kKind, resource.kind);
}

Value partial_metadata(const Value& object) {
  return Value::map({{keys::kApiVersion, "meta.k8s.io/v1"},
                     {keys::kKind, "PartialObjectMetadata"},
                     {keys::kMetadata, object[keys::kMetadata]}});
}

// A kind that is stored as another has that one's columns; whole objects in the rows stay in the form asked for.
Value table_of(const ResourceInfo& resource, std::span<const Value> objects, const Value& metadata, WallTime now,
               TableObject include) {
  const TwinKind* twin = twin_of(resource.id);
  if (twin == nullptr) return make_table(resource, objects, metadata, now, include);
  std::vector<Value> stored;
  for (const auto& object : objects) stored.push_back(twin->to_stored(object));
  const Value table = make_table(Schema::builtin().resource(twin->stored), stored, metadata, now, include);
  if (include != TableObject::kObject) return table;
  std::vector<Value> rows;
  for (const auto& row : table["rows"].items()) {
    rows.push_back(row.with(keys::kObject, with_kind(resource, objects[rows.size()])));
  }
  return table.with("rows", Value::array(std::move(rows)));
}

// What is stored may be older than the schema of today, or of another version.
Value presented(const CustomKind& kind, const Value& object, bool list) {
  if (!list) return kind.presented(object);
  // Unlike those of built-in kinds the items of such a list say what they are.
  std::vector<Value> items;
  for (const auto& item : object[keys::kItems].items()) items.push_back(with_kind(kind.resource(), kind.presented(item)));
  return object.with(keys::kItems, Value::array(std::move(items)));
}

TableObject row_object_of(const ResponseFormat& format) {
  return format.include_object == "Object" ? TableObject::kObject
         : format.include_object == "None" ? TableObject::kNone
                                           : TableObject::kMetadata;
}

Value represented(const ResourceInfo& resource, const ResponseFormat& format, const Value& given, bool list, WallTime now) {
  if (is_status(given)) return given;
  const bool other_kind = given[keys::kKind].has_value() && !list && given[keys::kKind].as_string() != resource.kind;
  if (other_kind && given[keys::kKind].as_string() == "Scale") {
    if (format.representation == Representation::kTable) return make_scale_table(given, now, row_object_of(format));
    return format.representation == Representation::kPartialMetadata ? partial_metadata(given) : given;
  }
  if (other_kind) return given;  // a TokenRequest
  const Value object = resource.custom ? presented(*resource.custom, given, list) : given;
  switch (format.representation) {
    case Representation::kObject: return list ? object : with_kind(resource, object);
    case Representation::kTable: {
      const TableObject include = row_object_of(format);
      if (list) return table_of(resource, object[keys::kItems].items(), object[keys::kMetadata], now, include);
      const std::vector<Value> one{object};
      const Value metadata = Value::map({{keys::kResourceVersion, object[keys::kMetadata][keys::kResourceVersion]}});
      return table_of(resource, one, metadata, now, include);
    }
    case Representation::kPartialMetadata: {
      if (!list) return partial_metadata(object);
      std::vector<Value> items;
      for (const auto& item : object[keys::kItems].items()) items.push_back(partial_metadata(item));
      return Value::map({{keys::kApiVersion, "meta.k8s.io/v1"},
                         {keys::kKind, "PartialObjectMetadataList"},
                         {keys::kMetadata, object[keys::kMetadata]},
                         {keys::kItems, Value::array(std::move(items))}});
    }
  }
  return object;
}

}  // namespace

HttpReply reply_with(const Value& object, const ResponseFormat& format, int status) {
  HttpReply reply;
  reply.status = status;
  if (format.yaml) {
    reply.content_type = "application/yaml";
    reply.body = to_yaml(object);
  } else if (format.pretty) {
    reply.body = to_pretty_json(object);
  } else {
    write_json(object, reply.body);
    reply.body += '\n';
  }
  return reply;
}

HttpReply reply_with(const Error& error, const ResponseFormat& format) {
  HttpReply reply = reply_with(status_of(error), format, error.http_status());
  if (error.retry_after_seconds > 0) reply.headers["retry-after"] = cat(error.retry_after_seconds);
  return reply;
}

Value shown(const Schema& schema, const ResourceCall& call, const ApiResponse& response, WallTime now) {
  const bool list = response.object[keys::kItems].is_array() &&
                    (call.request.verb == Verb::kList || call.request.verb == Verb::kDeleteCollection);
  return represented(schema.resource(call.request.kind), call.format, response.object, list, now);
}

HttpReply reply_to(const Schema& schema, const ResourceCall& call, const Result<ApiResponse>& result, WallTime now) {
  const ResourceInfo& resource = schema.resource(call.request.kind);
  if (!result) {
    Error error = result.error();
    const auto warnings = take_warnings(error);
    std::string_view name = call.request.name;
    if (name.empty()) name = object_name(call.request.body);
    Value status = status_of(error, &resource, name);
    if (error.code == ErrorCode::kExpired) {
      // The remainder can still be had, of the newest list instead of the one that is forgotten.
      if (auto token = decode_continue(call.request.options.continue_token)) {
        token->revision.reset();
        status = status.with_at({keys::kMetadata, keys::kContinue}, encode_continue(*token));
      }
    }
    HttpReply reply = reply_with(status, call.format, error.http_status());
    if (error.retry_after_seconds > 0) reply.headers["retry-after"] = cat(error.retry_after_seconds);
    reply.warnings = call.warnings;
    reply.warnings.insert(reply.warnings.end(), warnings.begin(), warnings.end());
    return reply;
  }
  const int status = result->created ? 201 : 200;
  HttpReply reply = reply_with(shown(schema, call, *result, now), call.format, status);
  reply.warnings = result->warnings;
  reply.warnings.insert(reply.warnings.end(), call.warnings.begin(), call.warnings.end());
  return reply;
}

std::string encode_watch_event(const Schema& schema, const ResourceCall& call, const WatchEvent& event, WallTime now) {
  const ResourceInfo& resource = schema.resource(call.request.kind);
  const bool as_is = event.type == WatchEventType::kError ||
                     (event.type == WatchEventType::kBookmark && call.format.representation == Representation::kObject);
  const Value object = as_is
                           ? event.object
                           : represented(resource, call.format, event.object.without(keys::kKind), false, now);
  std::string frame = cat("{\"type\":\"", watch_event_name(event.type), "\",\"object\":");
  write_json(object, frame);
  frame += "}\n";
  return frame;
}

}  // namespace minik::control
