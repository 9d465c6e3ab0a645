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
  if (!number) {
    return Error(ErrorCode::kBadRequest, cat("query parameter ", name, ": ", quoted(text), " is not a number"));
  }
  into = *number;
  return {};
}

// As Kubernetes' ValidatePodLogOptions.
Status check_log_options(const PodLogRequest& request, std::string_view pod) {
  std::vector<ErrorCause> causes;
  const auto at_least = [&](const std::optional<int64_t>& number, int64_t least, std::string_view field) {
    if (!number || *number >= least) return;
    const std::string_view why = least == 0 ? "must be greater than or equal to 0" : "must be greater than 0";
    causes.push_back({"FieldValueInvalid", cat("Invalid value: ", *number, ": ", why), std::string(field)});
  };
  at_least(request.tail_lines, 0, "tailLines");
  at_least(request.limit_bytes, 1, "limitBytes");
  if (request.since_seconds && request.since_time) {
    causes.push_back({"FieldValueForbidden", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified", "sinceSeconds"});
  } else {
    at_least(request.since_seconds, 1, "sinceSeconds");
  }
  if (causes.empty()) return {};
  std::vector<std::string> complaints;
  for (const auto& cause : causes) complaints.push_back(cat(cause.field, ": ", cause.message));
  const std::string all = complaints.size() == 1 ? complaints[0] : cat("[", join(complaints, ", "), "]");
  Error error(ErrorCode::kInvalid, cat("PodLogOptions ", quoted(pod), " is invalid: ", all));
  error.causes = std::move(causes);
  return error;
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
  MINIK_TRY(check_log_options(request, control::object_name(target.pod)));
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
