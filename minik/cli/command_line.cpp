#include "minik/cli/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "control/base/text.h"
#include "control/base/typo.h"

namespace minik::cli {

namespace {

bool takes_value(const CLI::App& app, const std::string& flag) {
  const auto* option = app.get_option_no_throw(flag);
  return option && option->get_items_expected_min() > 0;
}

// The command that these words lead to, and the first word behind it that is neither a flag nor a command of it.
std::pair<CLI::App*, std::string> command_of(CLI::App& app, const std::vector<std::string>& words) {
  CLI::App* command = &app;
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i].starts_with('-')) {
      if (takes_value(app, words[i])) ++i;
      continue;
    }
    const auto next = command->get_subcommands([&](const CLI::App* one) { return one->get_name() == words[i]; });
    if (next.empty()) return {command, words[i]};
    command = next.front();
  }
  return {command, ""};
}

std::string full_name(const CLI::App* command) {
  return command->get_parent() ? cat(full_name(command->get_parent()), " ", command->get_name()) : command->get_name();
}

// The first flag in front of `word`, or of all words where that is empty, that neither the command nor minik has.
std::string unknown_flag(const CLI::App& command, const CLI::App& app, const std::vector<std::string>& words, std::string_view word) {
  for (size_t i = 1; i < words.size() && (word.empty() || words[i] != word); ++i) {
    const std::string given = words[i].substr(0, words[i].find('='));
    const bool is_long = given.starts_with("--") && given.size() > 2;
    if (is_long && !command.get_option_no_throw(given) && !app.get_option_no_throw(given)) return given;
  }
  return "";
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> known;
  for (const auto* option : command.get_options()) {
    if (!option->get_lnames().empty()) known.push_back("--" + option->get_lnames().front());
  }
  return known;
}

// What people do wrong most: a slip in a command's or a flag's name.
void explain(const CLI::ParseError& error, CLI::App& app, const std::vector<std::string>& words) {
  const auto [command, word] = command_of(app, words);
  const std::string name = full_name(command);
  std::vector<std::string> commands;
  for (const auto* one : command->get_subcommands([](const CLI::App*) { return true; })) commands.push_back(one->get_name());
  std::string what = error.what();
  // Behind a word that is no command a flag may belong to what was meant; behind a file it is this command's.
  if (const auto flag = unknown_flag(*command, app, words, commands.empty() ? "" : word); !flag.empty()) {
    what = cat(name, " has no flag ", flag, perhaps(flag, flags_of(*command)));
  } else if (!commands.empty() && !word.empty()) {
    what = cat("there is no command ", name, " ", word, perhaps(word, commands));
  } else if (!commands.empty()) {
    what = cat(name, " needs a command: ", join(commands, ", "));
  }
  std::fprintf(stderr, "minik: %s\nRun %s --help for more.\n", what.c_str(), name.c_str());
}

// CLI11 takes -1 and what is too large for the largest number.
template <typename T>
void refuse_out_of_range(CLI::Option* option) {
  if constexpr (std::is_unsigned_v<T> && !std::is_same_v<T, bool>) {
    option->check([](const std::string& text) {
      const auto number = parse_uint64(text);
      const uint64_t most = std::numeric_limits<T>::max();
      return number && *number <= most ? std::string() : cat(text, " is not a whole number from 0 to ", most);
    });
  }
}

// CLI11 takes an empty text for no value at all where it reads an optional, which "" need not be.
template <typename T>
CLI::Option* add_to(CLI::App& app, const std::string& names, std::optional<T>& value, const std::string& what) {
  auto* const option = app.add_option_function<T>(names, [&value](const T& given) { value = given; }, what);
  refuse_out_of_range<T>(option);
  return option;
}
template <typename T>
CLI::Option* add_to(CLI::App& app, const std::string& names, T& value, const std::string& what) {
  auto* const option = app.add_option(names, value, what);
  refuse_out_of_range<T>(option);
  return option;
}

}  // namespace

Option Option::required() const { return Option(option_->required()); }
Option Option::value_name(const std::string& name) const { return Option(option_->type_name(name)); }
Option Option::show_default() const { return Option(option_->capture_default_str()); }
Option Option::one_of(const std::vector<std::string>& values) const { return Option(option_->check(CLI::IsMember(values))); }
Option Option::between(int least, int most) const { return Option(option_->check(CLI::Range(least, most))); }

Command Command::add_command(const std::string& name, const std::string& what) const {
  app_->require_subcommand(1);
  return Command(app_->add_subcommand(name, what));
}

template <typename T>
Option Command::add_option(const std::string& names, T& value, const std::string& what) const {
  return Option(add_to(*app_, names, value, what));
}
template Option Command::add_option(const std::string&, std::string&, const std::string&) const;
template Option Command::add_option(const std::string&, std::vector<std::string>&, const std::string&) const;
template Option Command::add_option(const std::string&, std::optional<std::string>&, const std::string&) const;
template Option Command::add_option(const std::string&, int&, const std::string&) const;
template Option Command::add_option(const std::string&, unsigned&, const std::string&) const;
template Option Command::add_option(const std::string&, int64_t&, const std::string&) const;
template Option Command::add_option(const std::string&, uint64_t&, const std::string&) const;
template Option Command::add_option(const std::string&, std::optional<uint64_t>&, const std::string&) const;

Option Command::add_flag(const std::string& names, bool& value, const std::string& what) const {
  return Option(app_->add_flag(names, value, what));
}

void Command::footer(const std::string& text) const { app_->footer(text); }
void Command::callback(std::function<void()> work) const { app_->callback(std::move(work)); }

CommandLine::CommandLine(const std::string& name, const std::string& what, const std::string& version)
    : Command(nullptr), owned_(std::make_unique<CLI::App>(what, name)) {
  app_ = owned_.get();
  app_->set_version_flag("--version", version);
  app_->fallthrough();
}

CommandLine::~CommandLine() = default;

int CommandLine::run(const std::vector<std::string>& words) const {
  try {
    // CLI11 takes the words without the program, last first.
    app_->parse(std::vector<std::string>(words.rbegin(), words.rend() - 1));
  } catch (const CLI::Success& success) {
    return app_->exit(success);
  } catch (const CLI::ParseError& error) {
    explain(error, *app_, words);
    return 2;
  }
  return 0;
}

void fail_without(const std::string& argument) { throw CLI::RequiredError(argument); }

}  // namespace minik::cli
