#include "minik/net/spdy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "control/base/text.h"

namespace minik {
namespace {

using ::testing::ElementsAre;
using End = SpdySession::End;
using Role = SpdySession::Role;

// A session that writes down what it is told.
struct Peer {
  explicit Peer(Role role)
      : session(role, {.on_stream =
                           [this](uint32_t id, const SpdyHeaders& headers, End end) {
                             std::string line = cat("stream ", id, end == End::kYes ? " end" : "");
                             for (const auto& [name, value] : headers) {
                               line += cat(" ", name, "=", value);
                             }
                             log.push_back(line);
                           },
                       .on_reply = [this](uint32_t id, const SpdyHeaders&,
                                          End) { log.push_back(cat("reply ", id)); },
                       .on_data =
                           [this](uint32_t id, std::string_view bytes, End end) {
                             data += bytes;
                             session.consumed(id, bytes.size());
                             if (end == End::kYes) log.push_back(cat("end ", id));
                           },
                       .on_reset = [this](uint32_t id) { log.push_back(cat("reset ", id)); },
                       .on_window = [this](uint32_t id) { log.push_back(cat("window ", id)); },
                       .on_go_away = [this] { log.push_back("goaway"); }}) {}
  std::vector<std::string> log;
  std::string data;
  SpdySession session;
};

// Moves bytes both ways until both are silent, in pieces of the given size.
bool exchange(Peer& a, Peer& b, size_t piece = 1000) {
  while (a.session.has_output() || b.session.has_output()) {
    for (auto [from, to] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
      const std::string bytes = from->session.take_output();
      for (size_t at = 0; at < bytes.size(); at += piece) {
        if (!to->session.receive(std::string_view(bytes).substr(at, piece))) return false;
      }
    }
  }
  return true;
}

std::string frame(uint16_t type, std::string_view body, uint8_t flags = 0) {
  std::string out = {'\x80',
                     3,
                     static_cast<char>(type >> 8),
                     static_cast<char>(type),
                     static_cast<char>(flags),
                     static_cast<char>(body.size() >> 16),
                     static_cast<char>(body.size() >> 8),
                     static_cast<char>(body.size())};
  return out.append(body);
}

std::string number(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

TEST(Spdy, UsesTheDictionaryOfTheSpecification) {
  const std::string& dictionary = spdy_dictionary();
  EXPECT_EQ(dictionary.size(), 1423u);
  EXPECT_EQ(adler32(adler32(0, nullptr, 0), reinterpret_cast<const Bytef*>(dictionary.data()),
                    static_cast<uInt>(dictionary.size())),
            0xe3c6a7c2u);
}

TEST(Spdy, CarriesStreamsBothWaysHoweverTheBytesAreCut) {
  for (const size_t piece : {1u, 5u, 4096u}) {
    Peer client(Role::kClient), server(Role::kServer);
    const uint32_t error = client.session.open({{"streamType", "error"}, {"port", "80"}});
    const uint32_t data = client.session.open({{"streamtype", "data"}, {"port", "80"}}, End::kNo);
    ASSERT_TRUE(exchange(client, server, piece));
    server.session.reply(error);
    server.session.reply(data);
    server.session.send(data, "from pod", End::kYes);
    client.session.send(data, "from client", End::kYes);
    ASSERT_TRUE(exchange(client, server, piece));
    EXPECT_THAT(server.log, ElementsAre("stream 1 port=80 streamtype=error",
                                        "stream 3 port=80 streamtype=data", "end 3"));
    EXPECT_THAT(client.log, ElementsAre("reply 1", "reply 3", "end 3"));
    EXPECT_EQ(server.data, "from client");
    EXPECT_EQ(client.data, "from pod");
    EXPECT_EQ(server.session.stream_count(), 1u) << "the data stream has ended on both sides";
  }
}

TEST(Spdy, SendsOnWithoutWindowsToAPeerThatShowsNone) {
  // As Kubernetes' own client: it never sends WINDOW_UPDATE or SETTINGS.
  std::string from_client;
  Peer client(Role::kClient), server(Role::kServer);
  const uint32_t id = client.session.open({{"streamtype", "data"}});
  ASSERT_TRUE(exchange(client, server));
  server.session.send(id, std::string(1'000'000, 'x'));
  EXPECT_EQ(server.session.waiting(id), 0u);
}

TEST(Spdy, WaitsForTheWindowOfAPeerThatKeepsOne) {
  Peer client(Role::kClient), server(Role::kServer);
  const uint32_t id = client.session.open({{"streamtype", "data"}});
  ASSERT_TRUE(exchange(client, server));
  // SETTINGS with one entry: INITIAL_WINDOW_SIZE 1000.
  ASSERT_TRUE(server.session.receive(frame(4, number(1) + number(7) + number(1000))));
  server.session.send(id, std::string(1500, 'x'), End::kYes);
  EXPECT_EQ(server.session.waiting(id), 500u);
  ASSERT_TRUE(server.session.receive(frame(9, number(id) + number(200))));
  EXPECT_EQ(server.session.waiting(id), 300u);
  ASSERT_TRUE(server.session.receive(frame(9, number(id) + number(1000))));
  EXPECT_EQ(server.session.waiting(id), 0u);
  EXPECT_THAT(server.log, testing::Contains(cat("window ", id)));
  ASSERT_TRUE(client.session.receive(server.session.take_output()));
  EXPECT_EQ(client.data.size(), 1500u);
  EXPECT_EQ(client.log.back(), cat("end ", id));
}

TEST(Spdy, AcknowledgesWhatWasConsumedSoThatALongUploadGoesOn) {
  Peer client(Role::kClient), server(Role::kServer);
  const uint32_t id = client.session.open({{"streamtype", "data"}});
  ASSERT_TRUE(exchange(client, server));
  ASSERT_TRUE(client.session.receive(frame(4, number(1) + number(7) + number(64 * 1024))));
  client.session.send(id, std::string(1'000'000, 'x'));
  EXPECT_GT(client.session.waiting(id), 0u);
  ASSERT_TRUE(exchange(client, server));
  EXPECT_EQ(client.session.waiting(id), 0u);
  EXPECT_EQ(server.data.size(), 1'000'000u);
}

TEST(Spdy, AnswersPingsAndIgnoresItsOwn) {
  Peer client(Role::kClient), server(Role::kServer);
  client.session.ping();
  const std::string ping = client.session.take_output();
  ASSERT_TRUE(server.session.receive(ping));
  const std::string answer = server.session.take_output();
  EXPECT_EQ(answer, ping);
  ASSERT_TRUE(client.session.receive(answer));
  EXPECT_FALSE(client.session.has_output());
}

TEST(Spdy, ResetsStreamsThatAreNotThere) {
  Peer server(Role::kServer);
  ASSERT_TRUE(server.session.receive(number(7) + number(3) + "abc"));
  EXPECT_EQ(server.session.take_output(), frame(3, number(7) + number(2)));
}

TEST(Spdy, TellsOfAResetAndForgetsTheStream) {
  Peer client(Role::kClient), server(Role::kServer);
  const uint32_t id = client.session.open({{"a", "b"}});
  ASSERT_TRUE(exchange(client, server));
  client.session.reset(id, SpdyResetStatus::kCancel);
  ASSERT_TRUE(exchange(client, server));
  EXPECT_EQ(server.log.back(), "reset 1");
  EXPECT_EQ(server.session.stream_count(), 0u);
}

TEST(Spdy, EndsTheConnectionOnBrokenFraming) {
  for (const std::string& bad :
       {frame(1, number(1) + number(0) + std::string(2, '\0') + "not zlib"), frame(1, "short"),
        frame(3, number(1)), frame(4, number(9)), frame(9, number(1)),
        std::string("\x80\x02\x00\x01\x00\x00\x00\x00", 8),
        std::string("\x80\x03\x00\x01\x00\xff\xff\xff", 8)}) {
    Peer server(Role::kServer);
    EXPECT_FALSE(server.session.receive(bad));
    EXPECT_TRUE(server.session.has_output()) << "a GOAWAY is owed";
    EXPECT_FALSE(server.session.receive("x"));
  }
}

TEST(Spdy, RefusesHeadersThatInflateBeyondMeasure) {
  SpdyHeaderWriter writer;
  std::string block;
  writer.write({{"a", std::string(1'000'000, 'x')}}, block);
  ASSERT_LT(block.size(), 60'000u);
  Peer server(Role::kServer);
  EXPECT_FALSE(
      server.session.receive(frame(1, number(1) + number(0) + std::string(2, '\0') + block)));
}

TEST(Spdy, RefusesStreamsBeyondItsLimit) {
  Peer client(Role::kClient), server(Role::kServer);
  for (size_t i = 0; i < kSpdyStreamsMax + 3; ++i) client.session.open({{"a", "b"}});
  ASSERT_TRUE(exchange(client, server));
  EXPECT_EQ(server.session.stream_count(), kSpdyStreamsMax);
  EXPECT_EQ(client.log.size(), 3u);
  EXPECT_THAT(client.log.back(), testing::StartsWith("reset "));
}

TEST(Spdy, SkipsFramesThatItDoesNotKnow) {
  Peer server(Role::kServer);
  EXPECT_TRUE(server.session.receive(frame(10, "credential") + frame(99, "")));
  EXPECT_FALSE(server.session.has_output());
}

}  // namespace
}  // namespace minik
