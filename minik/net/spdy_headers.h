// SPDY/3.1 header blocks: names and values under zlib with the protocol's fixed dictionary. One
// compressor for each direction of a connection, because each block builds on those before it.
// Pure; owned by a SpdySession.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct z_stream_s;

namespace minik {

// Names in lower case; values that came several times are repeated.
using SpdyHeaders = std::vector<std::pair<std::string, std::string>>;

// The words of section 2.6.10.1 of the draft, each behind its length.
const std::string& spdy_dictionary();

class SpdyHeaderWriter {
 public:
  SpdyHeaderWriter();
  ~SpdyHeaderWriter();
  // Appends the compressed block.
  void write(const SpdyHeaders& headers, std::string& out);

 private:
  std::unique_ptr<z_stream_s> zlib_;
};

class SpdyHeaderReader {
 public:
  SpdyHeaderReader();
  ~SpdyHeaderReader();
  // Nothing for what is not such a block or inflates to more than the limit; the reader is of no
  // use after that.
  std::optional<SpdyHeaders> read(std::string_view block, size_t bytes_max);

 private:
  std::unique_ptr<z_stream_s> zlib_;
};

}  // namespace minik
