// What minik's command line is made of: a tree of commands, each with its options and the work that it does.
//
// The tree is declared before anything is read. Options are bound to variables, which keep what they held unless
// the option is given; --help shows what was declared, in the order of declaration. Command and Option are handles:
// copies of one mean the same. All that they name lives as long as the CommandLine, and the variables must, too.
// A command with commands of its own needs one of them. Each knows the options of those above it.
//
// CLI11 reads and prints, but only command_line.cpp includes it: to compile its headers costs as much as ten of our
// commands do.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace minik::cli {

class Option {
 public:
  Option required() const;
  // --help calls the value TEXT or INT without this.
  Option value_name(const std::string& name) const;
  // --help tells what the variable holds now.
  Option show_default() const;
  Option one_of(const std::vector<std::string>& values) const;
  // Both included.
  Option between(int least, int most) const;

 private:
  friend class Command;
  explicit Option(CLI::Option* option) : option_(option) {}
  CLI::Option* option_;
};

class Command {
 public:
  Command add_command(const std::string& name, const std::string& what) const;
  // `names` is "-o,--output", or "file" for an argument that is known by its place. T is std::string, an integer,
  // std::optional of these, which stays empty unless the option is given, or a vector of strings, one or more.
  template <typename T>
  Option add_option(const std::string& names, T& value, const std::string& what) const;
  // "--wait,!--no-wait": the second name means false.
  Option add_flag(const std::string& names, bool& value, const std::string& what) const;
  // Behind the options in --help.
  void footer(const std::string& text) const;
  // The work: run once when the whole line is read and right. What it throws leaves CommandLine::run().
  void callback(std::function<void()> work) const;

 protected:
  explicit Command(CLI::App* app) : app_(app) {}
  CLI::App* app_;
};

// The program itself, on top of the tree.
class CommandLine : public Command {
 public:
  CommandLine(const std::string& name, const std::string& what, const std::string& version);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // `words` begin with the program. The exit code is 0, also for --help and --version, or 2 when the line is wrong,
  // which standard error has then explained.
  int run(const std::vector<std::string>& words) const;

 private:
  std::unique_ptr<CLI::App> owned_;
};

// From a callback: an argument is not there that this use of the command needs. run() explains it as any other.
[[noreturn]] void fail_without(const std::string& argument);

}  // namespace minik::cli
