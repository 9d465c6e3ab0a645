// The load generator of bench/api_bench.py: one thread, one epoll, any number of connections.
//
//   api_load PORT FOLDER get     CLIENTS SECONDS PATH           each client asks again when it has its answer
//   api_load PORT FOLDER create  CLIENTS SECONDS PATH BODY      POST; @ in the body becomes a number of its own
//   api_load PORT FOLDER patch   CLIENTS SECONDS PATH BODY      merge patches; @ in the path is the client's
//                                                               number, in the body that of the request
//   api_load PORT FOLDER watch   WATCHERS SECONDS PATH OBJECT WRITERS WRITES_PER_S
//        WATCHERS watches of PATH while WRITERS clients each patch an OBJECT of their own (@ becomes the client's
//        number): at most WRITES_PER_S times a second, or, when it is 0, each time all watchers have seen its last patch
//   api_load PORT -      etcd-put   CLIENTS SECONDS VALUE_BYTES
//   api_load PORT -      etcd-range CLIENTS SECONDS VALUE_BYTES
//
// FOLDER holds ca.crt, admin.crt and admin.key; the body of a POST is a file. Prints one JSON object:
// {"count":…,"per_s":…,"p50_us":…,"p99_us":…,"bytes":…}. For watch the count is of events, the times are from
// sending the patch to the event's arrival. The first tenth of the time warms up and is not counted.
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "bench/load_connection.h"

namespace load {
namespace {

struct Figures {
  std::vector<uint32_t> microseconds;
  size_t bytes = 0;
  int64_t begin = 0, end = 0;

  explicit Figures(double seconds) {
    const int64_t now = now_ns();
    begin = now + static_cast<int64_t>(seconds * 1e8);
    end = now + static_cast<int64_t>(seconds * 1.1e9);
  }
  void add(int64_t sent, int64_t now, size_t size) {
    if (now < begin || now > end) return;
    microseconds.push_back(static_cast<uint32_t>((now - sent) / 1000));
    bytes += size;
  }
  void print() {
    if (microseconds.empty()) die("nothing was measured");
    std::ranges::sort(microseconds);
    const double seconds = static_cast<double>(end - begin) / 1e9;
    const auto at = [&](double share) {
      return microseconds[std::min(microseconds.size() - 1,
                                   static_cast<size_t>(static_cast<double>(microseconds.size()) * share))];
    };
    std::printf("{\"count\":%zu,\"per_s\":%.1f,\"p50_us\":%u,\"p99_us\":%u,\"bytes\":%zu}\n", microseconds.size(),
                static_cast<double>(microseconds.size()) / seconds, at(0.5), at(0.99), bytes);
  }
};

std::string with_number(std::string_view text, size_t number) {
  std::string out;
  for (const char c : text) c == '@' ? out.append(std::to_string(number)) : out.append(1, c);
  return out;
}

SSL_CTX* client_tls(const std::string& folder) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_read_ahead(context, 1);
  if (SSL_CTX_load_verify_locations(context, (folder + "/ca.crt").c_str(), nullptr) != 1 ||
      SSL_CTX_use_certificate_file(context, (folder + "/admin.crt").c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, (folder + "/admin.key").c_str(), SSL_FILETYPE_PEM) != 1) {
    die("cannot read the keys in " + folder);
  }
  return context;
}

std::string file_text(const char* path) {
  std::ifstream in(path);
  if (!in) die(std::string("cannot read ") + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

void run_until(int epoll, int64_t end, const std::function<void()>& each_turn = {}, int wait_ms = 100) {
  epoll_event events[256];
  while (now_ns() < end) {
    if (each_turn) each_turn();
    const int count = epoll_wait(epoll, events, 256, wait_ms);
    for (int i = 0; i < count; ++i) static_cast<Connection*>(events[i].data.ptr)->readable();
  }
}

// Clients that each send the next request when the answer to the last one has come.
template <typename Client>
void closed_loop(const Target& target, size_t clients, double seconds,
                 const std::function<void(Client&, size_t client, size_t number)>& ask) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<Client>> all;
  std::vector<int64_t> sent(clients);
  for (size_t i = 0; i < clients; ++i) all.push_back(std::make_unique<Client>(target, epoll));
  Figures figures(seconds);
  size_t number = 0;
  const auto next = [&](size_t i) {
    sent[i] = now_ns();
    ask(*all[i], i, number++);
  };
  for (size_t i = 0; i < clients; ++i) {
    if constexpr (std::is_same_v<Client, HttpConnection>) {
      all[i]->on_done = [&, i](int status, size_t bytes) {
        if (status >= 300) die("the API answered " + std::to_string(status));
        figures.add(sent[i], now_ns(), bytes);
        next(i);
      };
    } else {
      all[i]->on_done = [&, i](size_t bytes) {
        figures.add(sent[i], now_ns(), bytes);
        next(i);
      };
    }
    next(i);
  }
  run_until(epoll, figures.end);
  figures.print();
}

// The moment of sending stands in the object, so that every watcher can tell the delay of every event.
constexpr std::string_view kSentField = "\"sent\":\"";

struct Watcher {
  std::unique_ptr<HttpConnection> connection;
  std::string line;  // the begin of an event whose end has not come

  // Calls back with the time of each event; an event is a line.
  void data(std::string_view bytes, const std::function<void(int64_t sent, size_t bytes)>& seen) {
    for (size_t end; (end = bytes.find('\n')) != std::string_view::npos; bytes.remove_prefix(end + 1)) {
      std::string_view event = bytes.substr(0, end);
      if (!line.empty()) event = line.append(event);
      const size_t at = event.find(kSentField);
      int64_t sent = 0;
      if (at != std::string_view::npos) {
        std::from_chars(event.data() + at + kSentField.size(), event.data() + event.size(), sent);
      }
      if (sent != 0) seen(sent, event.size());
      line.clear();
    }
    line.append(bytes);
  }
};

// A client that writes what is watched.
struct WatchedWriter {
  std::unique_ptr<HttpConnection> connection;
  std::string object;
  bool writing = false;
  int64_t sent = 0;     // names its last patch: no two patches have the same
  size_t missing = 0;   // watchers that have not seen it
};

struct WatchLoad {
  size_t watchers = 0;
  std::string path;
  size_t writers = 0;
  std::string object;
  double writes_per_s = 0;
};

void watch(const Target& target, const WatchLoad& load, double seconds) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Watcher> watchers(load.watchers);
  std::vector<WatchedWriter> writers(load.writers);
  Figures figures(seconds);
  for (Watcher& watcher : watchers) {
    watcher.connection = std::make_unique<HttpConnection>(target, epoll);
    watcher.connection->on_data = [&](std::string_view bytes) {
      const int64_t now = now_ns();
      watcher.data(bytes, [&](int64_t sent, size_t size) {
        for (WatchedWriter& writer : writers) {
          if (sent == writer.sent) --writer.missing;
        }
        figures.add(sent, now, size);
      });
    };
    watcher.connection->on_done = [](int, size_t) { die("a watch ended"); };
    watcher.connection->request("GET", load.path, {}, {});
  }
  // Opened last: on a busy machine the watches take longer than a server waits for a first request.
  for (size_t i = 0; i < writers.size(); ++i) {
    WatchedWriter& writer = writers[i];
    writer.object = with_number(load.object, i);
    writer.connection = std::make_unique<HttpConnection>(target, epoll);
    writer.connection->on_done = [&writer](int status, size_t) {
      if (status >= 300) die("the API answered " + std::to_string(status) + " to a patch");
      writer.writing = false;
    };
  }
  // Opening takes its time: the clock starts anew.
  run_until(epoll, now_ns() + 1'000'000'000);
  figures = Figures(seconds);
  const auto pause = load.writes_per_s > 0 ? static_cast<int64_t>(1e9 / load.writes_per_s) : 0;
  int64_t last_sent = 0;
  run_until(
      epoll, figures.end,
      [&] {
        for (WatchedWriter& writer : writers) {
          const int64_t now = std::max(now_ns(), last_sent + 1);
          if (writer.writing || (pause == 0 ? writer.missing > 0 : now < writer.sent + pause)) continue;
          writer.writing = true;
          writer.missing = load.watchers;
          writer.sent = last_sent = now;
          writer.connection->request("PATCH", writer.object, "application/merge-patch+json",
                                     "{\"data\":{\"sent\":\"" + std::to_string(now) + "\"}}");
        }
      },
      pause == 0 ? 100 : 1);
  figures.print();
}

// Protocol buffers by hand: field 1 the key, field 2 the value.
std::string bytes_field(int number, std::string_view bytes) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  for (size_t size = bytes.size();; size >>= 7) {
    out += static_cast<char>((size & 127) | (size > 127 ? 128 : 0));
    if (size <= 127) break;
  }
  return out.append(bytes);
}

int run(std::vector<std::string> words) {
  if (words.size() < 6) die("usage: api_load PORT FOLDER MODE CLIENTS SECONDS …; see the head of bench/api_load.cpp");
  Target target;
  target.port = static_cast<uint16_t>(std::stoul(words[0]));
  if (words[1] != "-") target.tls = client_tls(words[1]);
  const std::string mode = words[2];
  const size_t clients = std::stoul(words[3]);
  const double seconds = std::stod(words[4]);
  words.erase(words.begin(), words.begin() + 5);
  words.resize(4);
  // Two runs against one cluster must not make the same names.
  const size_t first = static_cast<size_t>(now_ns() / 1000) % 1'000'000'000 * 1'000'000;
  if (mode == "get") {
    closed_loop<HttpConnection>(target, clients, seconds, [&](HttpConnection& client, size_t i, size_t) {
      client.request("GET", with_number(words[0], i), {}, {});
    });
  } else if (mode == "create") {
    const std::string body = file_text(words[1].c_str());
    closed_loop<HttpConnection>(target, clients, seconds, [&](HttpConnection& client, size_t, size_t number) {
      client.request("POST", words[0], "application/json", with_number(body, first + number));
    });
  } else if (mode == "patch") {
    closed_loop<HttpConnection>(target, clients, seconds, [&](HttpConnection& client, size_t i, size_t number) {
      client.request("PATCH", with_number(words[0], i), "application/merge-patch+json",
                     with_number(words[1], first + number));
    });
  } else if (mode == "watch") {
    watch(target, {clients, words[0], std::stoul(words[2]), words[1], std::stod(words[3])}, seconds);
  } else if (mode == "etcd-put" || mode == "etcd-range") {
    const std::string value(std::stoul(words[0]), 'v');
    closed_loop<GrpcConnection>(target, clients, seconds, [&](GrpcConnection& client, size_t i, size_t number) {
      const std::string read_key = "/registry/read-" + std::to_string(i);
      if (mode == "etcd-put" || number < clients) {  // a key to read is written first
        const std::string key = mode == "etcd-put" ? "/registry/" + std::to_string(first + number) : read_key;
        client.call("/etcdserverpb.KV/Put", bytes_field(1, key) + bytes_field(2, value));
      } else {
        client.call("/etcdserverpb.KV/Range", bytes_field(1, read_key));
      }
    });
  } else {
    die("no mode " + mode);
  }
  return 0;
}

}  // namespace
}  // namespace load

int main(int count, char** words) {
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  return load::run(std::vector<std::string>(words + 1, words + count));
}
