// The program of the image minik/demo: a small web server that says where it runs, and has
// endpoints for trying out probes, load and crashes. Plain HTTP on $PORT (default 8080), from $READY_AFTER on.
//
// It behaves as its variables say: ends with $EXIT_CODE after $EXIT_AFTER, or crashes with $CRASH_CODE after $CRASH_AFTER; takes
// $MEMORY bytes, and $MEMORY_PER_SECOND more each second; writes $DISK bytes to /written, and $DISK_PER_SECOND more each second;
// upon SIGTERM goes on for $STOP_AFTER, or with $IGNORE_SIGTERM for ever. /hang?for=5s answers nobody and no signal for so long,
// /unready?for=5s answers 503, /oom takes memory until it is killed.
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
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
void end_in_time(const char* after_name, const char* code_name, const char* usual_code) {
  const auto after = duration(after_name);
  if (!after) return;
  std::thread([after = *after, code = parse_int64(variable(code_name, usual_code)).value_or(0)] {
    sleep_for(after);
    std::printf("ending after %s with exit code %lld, as I was told\n", format_duration(after).c_str(), static_cast<long long>(code));
    std::fflush(stdout);
    _exit(static_cast<int>(code));
  }).detach();
}

// Memory that is really used, and kept.
void take_memory(int64_t bytes) {
  if (bytes <= 0) return;
  char* const memory = static_cast<char*>(std::malloc(static_cast<size_t>(bytes)));
  if (!memory) return;
  constexpr int64_t kPage = 4096;
  for (int64_t at = 0; at < bytes; at += kPage) const_cast<volatile char*>(memory)[at] = 1;
}

// Onto the disk under its root.
void write_bytes(int64_t bytes) {
  std::FILE* const file = bytes > 0 ? std::fopen("/written", "a") : nullptr;
  if (!file) return;
  const std::string block(1 << 16, 'x');
  for (int64_t left = bytes; left > 0; left -= static_cast<int64_t>(block.size())) {
    std::fwrite(block.data(), 1, static_cast<size_t>(std::min(left, static_cast<int64_t>(block.size()))), file);
  }
  std::fclose(file);
}

// So many bytes now, and so many more each second.
void take_in_time(const char* now_name, const char* more_name, void (*take)(int64_t bytes)) {
  take(parse_int64(variable(now_name, "0")).value_or(0));
  const int64_t more = parse_int64(variable(more_name, "0")).value_or(0);
  if (more <= 0) return;
  std::thread([more, take] {
    constexpr int kStepsPerSecond = 10;
    for (;;) {
      sleep_for(milliseconds(1000 / kStepsPerSecond));
      take(more / kStepsPerSecond);
    }
  }).detach();
}

int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// Until these moments it answers nobody, and 503.
std::atomic<int64_t> hung_until{0}, unready_until{0};

void begin(std::atomic<int64_t>& until, const std::string& length) {
  constexpr Duration kUsual = hours(24);
  until = now_ns() + parse_duration(length).value_or(kUsual).ns;
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
  if (const int64_t hung = hung_until - now_ns(); hung > 0) {
    const auto loop = responder.loop();
    loop->after(Duration{hung}, [responder] { responder.respond(HttpResponse::text(503, "I was not there\n")); });
  } else if (request.path == "/hang") {
    responder.respond(HttpResponse::text(200, "hanging\n"));
    begin(hung_until, parameter(request.query, "for"));
  } else if (request.path == "/unready") {
    responder.respond(HttpResponse::text(200, "unready\n"));
    begin(unready_until, parameter(request.query, "for"));
  } else if (request.path == "/oom") {
    responder.respond(HttpResponse::text(200, "taking memory until I am killed\n"));
    std::thread([] {
      constexpr int64_t kStep = 4 << 20;
      for (;;) take_memory(kStep);
    }).detach();
  } else if (request.path == "/crash") {
    std::fprintf(stderr, "crashing because I was asked to\n");
    _exit(static_cast<int>(parse_int64(parameter(request.query, "code")).value_or(1)));
  } else if (unready_until > now_ns()) {
    responder.respond(HttpResponse::text(503, "unready\n"));
  } else if (request.path == "/healthz" || request.path == "/readyz") {
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
  } else if (request.path == "/burn") {
    burn(std::min(ms, kLongest));
    responder.respond(HttpResponse::text(200, "burnt\n"));
  } else {
    responder.respond(HttpResponse::text(200, greeting(request)));
  }
}

bool ignores_signals() { return hung_until > now_ns() || !variable("IGNORE_SIGTERM", "").empty(); }

void go_on_for_a_while() {
  if (const auto wait = duration("STOP_AFTER")) sleep_for(*wait);
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
  end_in_time("EXIT_AFTER", "EXIT_CODE", "0");
  end_in_time("CRASH_AFTER", "CRASH_CODE", "1");
  take_in_time("MEMORY", "MEMORY_PER_SECOND", take_memory);
  take_in_time("DISK", "DISK_PER_SECOND", write_bytes);
  const auto port = parse_int64(variable("PORT", "8080")).value_or(8080);
  // Until it is ready nobody listens, and whoever tries to connect is refused.
  if (const auto wait = duration("READY_AFTER")) {
    const int64_t end = now_ns() + wait->ns;
    for (int64_t left = wait->ns; left > 0; left = end - now_ns()) {
      const timespec length = time_of(Duration{left});
      if (sigtimedwait(&ends, nullptr, &length) <= 0 || ignores_signals()) continue;
      go_on_for_a_while();
      return told_to_stop();
    }
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
  do {
    sigwait(&ends, &received);
  } while (ignores_signals());
  go_on_for_a_while();
  std::printf("stopping\n");
  server.stop(seconds(5));
  return told_to_stop();
}

}  // namespace minik::cli
