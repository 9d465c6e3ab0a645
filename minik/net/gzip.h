// gzip of a whole body (RFC 1952), at the fastest level, as kube-apiserver compresses large
// answers. Pure and thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace minik {

std::string gzip(std::string_view bytes);

// The same, of a body that comes in pieces. One thread at a time.
class GzipStream {
 public:
  GzipStream();
  ~GzipStream();
  // What is ready of the output; empty while more input is needed.
  std::string add(std::string_view bytes);
  // The rest. Once, at the end.
  std::string finish();

 private:
  std::string run(std::string_view bytes, int flush);
  struct State;
  std::unique_ptr<State> state_;
};

// Nothing for what is not gzip or would inflate to more than `bytes_max`.
std::optional<std::string> gunzip(std::string_view bytes, size_t bytes_max);

}  // namespace minik
