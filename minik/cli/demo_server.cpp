// The program of the image minik/demo: a small web server that says where it runs, and has
// endpoints for trying out probes, load and crashes. Plain HTTP on $PORT (default 8080), from $READY_AFTER on; ends
// with $EXIT_CODE after $EXIT_AFTER, if that is given.
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "control/base/rng.h"
#include "control/base/text.h"
#include "control/base/time.h"
#include "minik/cli/command.h"
#include "minik/net/http_server.h"
#include "minik/net/io_threads.h"
#include "minik/net/listen.h"

extern char** environ;

namespace minik::cli {

namespace {

std::string variable(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value && *value ? value : fallback;
}

std::string parameter(const std::string& query, std::string_view name) {
  for (const auto& [key, value] : query_parameters(query)) {
    if (key == name) return value;
  }
  return {};
}

std::string greeting(const HttpRequest& request) {
  std::string text = cat(
      "Hello from minik\npod:     ", variable("POD_NAME", variable("HOSTNAME", "unknown").c_str()),
      "\nnode:    ", variable("NODE_NAME", "unknown"), "\nversion: ", variable("VERSION", "1"),
      "\nrequest: ", request.method, " ", request.path, "\nfrom:    ", request.remote_address,
      "\n");
  for (const auto& header : request.headers)
    text += cat("header:  ", header.name, ": ", header.value, "\n");
  return text;
}

std::optional<Duration> duration(const char* name) {
  return parse_duration(variable(name, ""));
}

timespec time_of(Duration length) {
  return {length.ns / 1'000'000'000, length.ns % 1'000'000'000};
}

void sleep_for(Duration length) {
  timespec left = time_of(length);
  while (nanosleep(&left, &left) != 0) {
  }
}

// For trying out programs that end by themselves.
void end_in_time() {
  const auto after = duration("EXIT_AFTER");
  if (!after) return;
  std::thread([after = *after, code = parse_int64(variable("EXIT_CODE", "0")).value_or(0)] {
    sleep_for(after);
    std::printf("ending after %s with exit code %lld, as I was told\n", format_duration(after).c_str(), static_cast<long long>(code));
    std::fflush(stdout);
    _exit(static_cast<int>(code));
  }).detach();
}

void burn(int64_t ms) {
  timespec begin{}, now{};
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do {
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1'000'000 < ms);
}

void answer(HttpRequest request, Responder responder) {
  static std::atomic<uint64_t> requests{0};
  const int64_t ms = parse_int64(parameter(request.query, "ms")).value_or(1000);
  constexpr int64_t kLongest = 60'000;
  if (request.path == "/healthz" || request.path == "/readyz") {
    responder.respond(HttpResponse::text(200, "ok\n"));
  } else if (request.path == "/env") {
    std::string body;
    for (char** entry = environ; *entry; ++entry) body += cat(*entry, "\n");
    responder.respond(HttpResponse::text(200, body));
  } else if (request.path == "/slow") {
    const auto loop = responder.loop();
    loop->after(milliseconds(std::min(ms, kLongest)),
                [responder] { responder.respond(HttpResponse::text(200, "slow\n")); });
  } else if (request.path == "/fail") {
    // rate in hundredths: /fail?rate=0.25 and /fail?rate=25 mean the same
    const double rate = std::atof(parameter(request.query, "rate").c_str());
    const auto percent = static_cast<uint64_t>(rate <= 1 ? rate * 100 : rate);
    const bool fails = requests++ * 61 % 100 < percent;
    responder.respond(HttpResponse::text(fails ? 500 : 200, fails ? "failed\n" : "ok\n"));
  } else if (request.path == "/crash") {
    std::fprintf(stderr, "crashing because I was asked to\n");
    _exit(static_cast<int>(parse_int64(parameter(request.query, "code")).value_or(1)));
  } else if (request.path == "/burn") {
    burn(std::min(ms, kLongest));
    responder.respond(HttpResponse::text(200, "burnt\n"));
  } else {
    responder.respond(HttpResponse::text(200, greeting(request)));
  }
}

// The exit code of one that would have ended by itself and was not let.
int told_to_stop() {
  constexpr int kTerminated = 143;
  return duration("EXIT_AFTER") ? kTerminated : 0;
}

}  // namespace

int run_demo_server() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  end_in_time();
  const auto port = parse_int64(variable("PORT", "8080")).value_or(8080);
  // Until it is ready nobody listens, and whoever tries to connect is refused.
  if (const auto wait = duration("READY_AFTER")) {
    const timespec length = time_of(*wait);
    if (sigtimedwait(&ends, nullptr, &length) > 0) return told_to_stop();
  }
  auto listener = listen_tcp("0.0.0.0", static_cast<uint16_t>(port));
  if (!listener) {
    std::fprintf(stderr, "minik demo: %s\n", listener.error().message.c_str());
    return 1;
  }
  IoThreads threads(1);
  HttpServer server(threads, {}, answer);
  server.serve(*std::move(listener), nullptr);
  std::printf("minik demo serves on port %lld\n", static_cast<long long>(port));
  std::fflush(stdout);
  int received = 0;
  sigwait(&ends, &received);
  std::printf("stopping\n");
  server.stop(seconds(5));
  return told_to_stop();
}

}  // namespace minik::cli
