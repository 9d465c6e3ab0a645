#include "minik/live/live_command.h"

#include "control/base/text.h"

namespace minik {

namespace {

constexpr Duration kStepMax = hours(24 * 366);

struct Route {
  std::string_view method, path;
  LiveCommand::What what;
};
constexpr Route kRoutes[] = {
    {"GET", "/status", LiveCommand::What::kStatus},   {"POST", "/pause", LiveCommand::What::kPause},
    {"POST", "/resume", LiveCommand::What::kResume},  {"POST", "/step", LiveCommand::What::kStep},
    {"POST", "/speed", LiveCommand::What::kSpeed},    {"POST", "/inject", LiveCommand::What::kInject},
};

}  // namespace

Result<LiveCommand> parse_live_command(const HttpRequest& request) {
  LiveCommand command;
  const Route* found = nullptr;
  for (const Route& route : kRoutes) {
    if (route.method == request.method && route.path == request.path) found = &route;
  }
  if (!found) {
    return Error(ErrorCode::kNotFound, cat("there is no ", request.method, " ", request.path,
                                           "; GET /status and POST /pause, /resume, /step, /speed, /inject are"));
  }
  command.what = found->what;
  const std::string_view text = trim(request.body);
  if (command.what == LiveCommand::What::kStep) {
    const auto length = parse_duration(text);
    if (!length || *length <= Duration{} || *length > kStepMax) {
      return Error(ErrorCode::kBadRequest, cat("step ", quoted(text), " must be a duration such as 30s or 2m30s"));
    }
    command.step = *length;
  }
  if (command.what == LiveCommand::What::kSpeed) {
    MINIK_ASSIGN(command.speed, parse_speed(text));
  }
  if (command.what == LiveCommand::What::kInject) {
    if (text.empty()) {
      return Error(ErrorCode::kBadRequest, "inject needs an action as a scenario's timeline has it, such as crashNodes: "
                                           "{count: 3}");
    }
    command.document = std::string(request.body);
  }
  return command;
}

}  // namespace minik
