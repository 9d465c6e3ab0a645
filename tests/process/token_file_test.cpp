#include "minik/process/token_file.h"

#include <gtest/gtest.h>

namespace minik {
namespace {

TEST(TokenFile, NamesUsersAndTheirGroups) {
  const auto tokens = parse_token_file("abc,jane,7,\"dev,ops\"\n\nxyz,\"O\"\"Brien, Pat\",8\r\n", "tokens.csv");
  ASSERT_TRUE(tokens) << tokens.error().message;
  const auto& jane = tokens->at("abc");
  EXPECT_EQ(jane.name, "jane");
  EXPECT_EQ(jane.uid, "7");
  EXPECT_EQ(jane.groups, (std::vector<std::string>{"dev", "ops", "system:authenticated"}));
  EXPECT_EQ(tokens->at("xyz").name, "O\"Brien, Pat");
}

TEST(TokenFile, TellsTheLineOfAMistakeAndNotTheToken) {
  const auto error_of = [](std::string_view text) {
    const auto tokens = parse_token_file(text, "t.csv");
    return tokens ? std::string("none") : tokens.error().message;
  };
  EXPECT_EQ(error_of("abc,jane,1\nsecret,bob\n"),
            "t.csv:2: a line must have at least 3 columns (token, user name, user uid), found 2");
  EXPECT_EQ(error_of("abc,jane,1,dev,ops"), "t.csv:1: there are more than 4 columns: several groups stand in one quoted field");
  EXPECT_EQ(error_of("abc,jane,1,\"dev"), "t.csv:1: a quoted field does not end with a quote and a comma");
  EXPECT_EQ(error_of(",jane,1"), "t.csv:1: the token is empty");
  EXPECT_EQ(error_of("abc,,1"), "t.csv:1: the user name is empty");
  EXPECT_EQ(error_of("abc,jane,1\nabc,bob,2"), "t.csv:2: this token has been given to a user before");
}

}  // namespace
}  // namespace minik
