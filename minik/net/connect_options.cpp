#include "minik/net/connect_options.h"

#include "control/base/text.h"

namespace minik {

std::vector<std::pair<std::string, std::string>> connect_parameters(const control::Value& options) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const auto& word : options.get("command").items()) parameters.emplace_back("command", word.string());
  for (const auto& port : options.get("ports").items()) parameters.emplace_back("ports", cat(port.as_int()));
  if (options.get("container").is_string()) parameters.emplace_back("container", options.get("container").string());
  for (const std::string_view flag : {"stdin", "stdout", "stderr", "tty"}) {
    if (options.get(flag).as_bool()) parameters.emplace_back(flag, "true");
  }
  return parameters;
}

}  // namespace minik
