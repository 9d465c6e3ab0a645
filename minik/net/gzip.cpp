#include "minik/net/gzip.h"

#include <zlib.h>

#include "control/base/check.h"

namespace minik {
namespace {

constexpr int kGzipWindowBits = 15 + 16;  // zlib's way to say: with a gzip head and trailer

Bytef* input(std::string_view bytes) {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
}

}  // namespace

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, 1, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = input(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  CHECK(result == Z_STREAM_END) << result;
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

struct GzipStream::State {
  z_stream stream{};
};

GzipStream::GzipStream() : state_(std::make_unique<State>()) {
  CHECK(deflateInit2(&state_->stream, 1, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
}

GzipStream::~GzipStream() {
  deflateEnd(&state_->stream);
}

std::string GzipStream::add(std::string_view bytes) {
  return run(bytes, Z_NO_FLUSH);
}

std::string GzipStream::finish() {
  return run({}, Z_FINISH);
}

std::string GzipStream::run(std::string_view bytes, int flush) {
  z_stream& stream = state_->stream;
  stream.next_in = input(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  char piece[16 * 1024];
  do {
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    deflate(&stream, flush);
    out.append(piece, sizeof piece - stream.avail_out);
  } while (stream.avail_out == 0);
  return out;
}

std::optional<std::string> gunzip(std::string_view bytes, size_t bytes_max) {
  z_stream stream{};
  CHECK(inflateInit2(&stream, kGzipWindowBits) == Z_OK);
  stream.next_in = input(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int result = Z_OK;
  while (result == Z_OK && out.size() <= bytes_max) {
    char piece[16 * 1024];
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(piece, sizeof piece - stream.avail_out);
    if (stream.avail_in == 0 && stream.avail_out != 0) break;
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END || out.size() > bytes_max) return std::nullopt;
  return out;
}

}  // namespace minik
