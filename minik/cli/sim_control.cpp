// minik sim status, pause, resume, step, speed, inject: what one tells a simulation that is being served.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "control/base/text.h"
#include "control/object/json.h"
#include "minik/cli/command.h"
#include "minik/cli/simulation.h"
#include "minik/live/live_simulation.h"
#include "minik/net/unique_fd.h"
#include "minik/process/profile.h"

namespace minik::cli {

using control::Value;

namespace {

Error nobody(const std::string& name) {
  return Error(ErrorCode::kServiceUnavailable,
               cat("no simulation ", minik::quoted(name), " is being served: minik sim serve FILE starts one, --name says which"));
}

void print(const Value& status) {
  if (status.contains("did")) {
    for (const auto& what : status["did"].items()) std::printf("did:       %s\n", what.string().c_str());
    if (status["did"].empty()) std::printf("did:       nothing yet; where nodes or pods are chosen, none fits\n");
  }
  std::printf("scenario:  %s, seed %s\nstate:     %s at %s\ntime:      %s of %s (%s)\nnodes:     %lld of %lld running\n"
              "pods:      %lld\napi:       %s\n",
              status["scenario"].string().c_str(), status["seed"].string().c_str(), status["state"].string().c_str(),
              status["speed"].string().c_str(), status["virtualTime"].string().c_str(), status["duration"].string().c_str(),
              status["clock"].string().c_str(), static_cast<long long>(status["nodesRunning"].as_int()),
              static_cast<long long>(status["nodes"].as_int()), static_cast<long long>(status["pods"].as_int()),
              status["api"].string().c_str());
  for (const auto& finding : status["expectations"].items()) {
    std::printf("expect:    %s %s%s\n", finding["held"].as_bool() ? "ok    " : finding["settled"].as_bool() ? "FAILED" : "open  ", finding["what"].string().c_str(),
                finding["detail"].as_string().empty() ? "" : cat(": ", finding["detail"].as_string()).c_str());
  }
}

struct ControlFlags {
  std::string name = kLiveName, format = "text", argument;
};

void tell(const ControlFlags& flags, const char* method, const char* path) {
  const auto answer = value_or_fail(ask_live(flags.name, method, path, flags.argument));
  if (answer.status != 200) {
    fail(Error(ErrorCode::kBadRequest, std::string(trim(answer.body))), kNotValid);
  }
  if (flags.format == "json") {
    std::fputs(answer.body.c_str(), stdout);
    return;
  }
  print(value_or_fail(control::parse_json(answer.body)));
}

Command add_control(Command sim, ControlFlags& flags, const char* name, const char* text, const char* example,
                    const char* method, const char* path) {
  const auto command = sim.add_command(name, text);
  command.footer(cat("Example: ", example));
  command.add_option("--name", flags.name, "The name that it is served under").show_default();
  add_output_option(command, flags.format);
  command.callback([&flags, method, path] { tell(flags, method, path); });
  return command;
}

}  // namespace

Result<std::string> live_folder(const std::string& name) {
  // As strict as a profile's name, which it may not be: both are folders of one home.
  MINIK_ASSIGN(const auto profile, Profile::open(name));
  return cat(profile.directory.substr(0, profile.directory.rfind('/')), "/.sim/", name);
}

Result<LiveAnswer> ask_live(const std::string& name, const std::string& method, const std::string& path,
                            const std::string& body) {
  MINIK_ASSIGN(const auto folder, live_folder(name));
  const std::string socket_path = LiveSimulation::socket_of(folder);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) return nobody(name);
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return nobody(name);
  const std::string request = cat(method, " ", path, " HTTP/1.0\r\nHost: minik\r\nContent-Length: ", body.size(),
                                  "\r\nConnection: close\r\n\r\n", body);
  for (size_t sent = 0; sent < request.size();) {
    const ssize_t n = write(fd.get(), request.data() + sent, request.size() - sent);
    if (n <= 0) return nobody(name);
    sent += static_cast<size_t>(n);
  }
  std::string text;
  char buffer[16384];
  ssize_t n = 0;
  while ((n = read(fd.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  const size_t head = text.find("\r\n\r\n");
  const auto words = split(std::string_view(text).substr(0, head), ' ');
  const auto status = words.size() > 1 ? parse_int64(words[1]) : std::nullopt;
  if (head == std::string::npos || !status) {
    return Error(ErrorCode::kServiceUnavailable, cat("the simulation ", minik::quoted(name), " ended before it answered"));
  }
  return LiveAnswer{static_cast<int>(*status), text.substr(head + 4)};
}

void add_live_control(Command sim) {
  static ControlFlags flags;
  add_control(sim, flags, "status", "Say how a served simulation is: time, nodes, what holds", "minik sim status -o json",
              "GET", "/status");
  add_control(sim, flags, "pause", "Let the time of a served simulation stand still; reads and writes are answered",
              "minik sim pause", "POST", "/pause");
  add_control(sim, flags, "resume", "Let time move on, at the speed it had", "minik sim resume", "POST", "/resume");
  add_control(sim, flags, "step", "Go on by so much virtual time, as fast as it goes, and stand still", "minik sim step 30s",
              "POST", "/step")
      .add_option("duration", flags.argument, "Such as 30s or 2m30s")
      .required();
  add_control(sim, flags, "speed", "Choose how many times faster than real time it goes", "minik sim speed 10x", "POST",
              "/speed")
      .add_option("speed", flags.argument, "A multiple of real time such as 10x or 0.5x, or max")
      .required();
  add_control(sim, flags, "inject", "Do now what a scenario's timeline does at a time: an action or a fault",
              "minik sim inject 'crashNodes: {count: 3}'", "POST", "/inject")
      .add_option("action", flags.argument, "As in a timeline, without `at`")
      .required();
}

}  // namespace minik::cli
