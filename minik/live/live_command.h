// What somebody outside tells a simulation that is being served, and how it travels: HTTP on a Unix socket
// that belongs to whoever serves, so that `curl --unix-socket` speaks it too.
//
//   GET /status   POST /pause   POST /resume   POST /step 30s   POST /speed 10x   POST /inject <YAML>
//
// Every answer is the status as JSON, or one line of text that says what was wrong (400, 404). Pure
// functions of bytes; minik/live/live_simulation.h does what they mean.
#pragma once

#include <string>

#include "control/base/result.h"
#include "minik/live/pace.h"
#include "minik/net/http_message.h"

namespace minik {

struct LiveCommand {
  enum class What : uint8_t { kStatus, kPause, kResume, kStep, kSpeed, kInject };
  What what = What::kStatus;
  Duration step;
  Speed speed;
  std::string document;  // kInject: what a scenario's timeline has beside `at`
};

Result<LiveCommand> parse_live_command(const HttpRequest& request);

}  // namespace minik
