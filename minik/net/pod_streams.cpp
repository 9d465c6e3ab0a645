#include "minik/net/pod_streams.h"

#include <algorithm>

#include "control/api/options.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik {
namespace {

namespace keys = control::keys;
using control::Value;

std::vector<std::string> names_of(const Value& containers) {
  std::vector<std::string> names;
  for (const Value& container : containers.items())
    names.push_back(container[keys::kName].string());
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  return cat("[", join(names, " "), "]");
}

Status read_number(const std::string& name, const std::string& text, std::optional<int64_t>& into) {
  const auto number = parse_int64(text);
  if (!number || *number < 0) {
    return Error(ErrorCode::kBadRequest,
                 cat("query parameter ", name, ": ", quoted(text), " is not a number from 0 on"));
  }
  into = *number;
  return {};
}

}  // namespace

Result<std::string> choose_container(const Value& pod, const std::string& name) {
  const Value& spec = pod[keys::kSpec];
  const auto containers = names_of(spec[keys::kContainers]);
  const auto init = names_of(spec[keys::kInitContainers]);
  const auto ephemeral = names_of(spec[keys::kEphemeralContainers]);
  const auto pod_name = control::object_name(pod);
  const auto has = [](const std::vector<std::string>& names, std::string_view wanted) {
    return std::find(names.begin(), names.end(), wanted) != names.end();
  };
  if (!name.empty()) {
    if (has(containers, name) || has(init, name) || has(ephemeral, name)) return name;
    return Error(ErrorCode::kBadRequest,
                 cat("container ", name, " is not valid for pod ", pod_name));
  }
  if (containers.size() == 1) return containers.front();
  const Value& preferred =
      pod[keys::kMetadata][keys::kAnnotations].get("kubectl.kubernetes.io/default-container");
  if (has(containers, preferred.as_string())) return preferred.string();
  std::string message = cat("a container name must be specified for pod ", pod_name,
                            ", choose one of: ", listed(containers));
  if (!init.empty()) message += cat(" or one of the init containers: ", listed(init));
  return Error(ErrorCode::kBadRequest, message);
}

Result<PodLogRequest> parse_log_request(control::ConnectTarget target,
                                        const QueryParameters& parameters) {
  PodLogRequest request;
  std::string container;
  for (const auto& [name, value] : parameters) {
    if (name == "container") container = value;
    if (name == "follow") request.follow = control::query_truth(value);
    if (name == "previous") request.previous = control::query_truth(value);
    if (name == "timestamps") request.timestamps = control::query_truth(value);
    if (name == "sinceSeconds") MINIK_TRY(read_number(name, value, request.since_seconds));
    if (name == "tailLines") MINIK_TRY(read_number(name, value, request.tail_lines));
    if (name == "limitBytes") MINIK_TRY(read_number(name, value, request.limit_bytes));
    if (name == "sinceTime") {
      request.since_time = parse_time(value);
      if (!request.since_time) {
        return Error(ErrorCode::kBadRequest,
                     cat("query parameter sinceTime: ", quoted(value), " is not an RFC 3339 time"));
      }
    }
  }
  if (request.since_seconds && request.since_time) {
    Error error(ErrorCode::kInvalid,
                "PodLogOptions \"\" is invalid: sinceSeconds: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be "
                "specified");
    error.causes.push_back({"FieldValueForbidden", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
                            "sinceSeconds"});
    return error;
  }
  MINIK_ASSIGN(request.container, choose_container(target.pod, container));
  request.target = std::move(target);
  return request;
}

Result<PodExecRequest> parse_exec_request(control::ConnectTarget target,
                                          const QueryParameters& parameters) {
  PodExecRequest request;
  std::string container;
  for (const auto& [name, value] : parameters) {
    if (name == "container") container = value;
    if (name == "command") request.command.push_back(value);
  }
  MINIK_ASSIGN(request.container, choose_container(target.pod, container));
  MINIK_ASSIGN(request.options, RemoteCommandOptions::from_parameters(parameters));
  request.target = std::move(target);
  return request;
}

}  // namespace minik
