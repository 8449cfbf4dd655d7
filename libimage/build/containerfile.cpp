#include "libimage/build/containerfile.h"

#include <algorithm>
#include <utility>

#include "libimage/base/text.h"
#include "libimage/build/instructions.h"

namespace lade::build {
namespace {

constexpr std::size_t kMaxStages = 10'000;
constexpr std::size_t kMaxGlobalArgs = 10'000;

bool is_stage_name(std::string_view name) {
  if (name.empty() || name[0] < 'a' || name[0] > 'z') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

StageSource parse_from(const LogicalLine& line, char escape) {
  StageSource stage{.from = line};
  std::string arguments = line.arguments;
  const FlagSet flags("FROM", take_flags(arguments, escape),
                      {{"platform"}, {"after", FlagRule::Kind::unsupported}});
  stage.platform = flags.value("platform");
  const std::vector<std::string> words = plain_words(arguments);
  const bool named = words.size() == 3 && lower_case(words[1]) == "as";
  if (words.size() != 1 && !named)
    throw Error(Errc::invalid_content, "FROM is of the form: FROM IMAGE [AS NAME]");
  stage.base = words[0];
  if (named) {
    stage.name = lower_case(words[2]);
    if (!is_stage_name(stage.name))
      throw Error(Errc::invalid_content,
                  cat("stage name ", quoted(words[2]),
                      " must be a letter, then letters, digits, '-', '_' or '.'"));
  }
  return stage;
}

void add_global_arg(Containerfile& file, const LogicalLine& line) {
  std::size_t empty_continuation = line.empty_continuation;
  for (const std::string& word : quoted_words(line.arguments, file.escape)) {
    const std::size_t equals = word.find('=');
    GlobalArg arg{.name = word.substr(0, equals), .lines = line.lines, .comments = line.comments};
    arg.empty_continuation = std::exchange(empty_continuation, 0);
    if (equals != std::string::npos) arg.value = word.substr(equals + 1);
    if (arg.name.empty()) throw Error(Errc::invalid_content, "ARG has an empty name");
    if (file.global_args.size() == kMaxGlobalArgs)
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxGlobalArgs, " ARGs before FROM"));
    file.global_args.push_back(std::move(arg));
  }
}

void add_line(Containerfile& file, const LogicalLine& line) {
  if (line.keyword == "FROM") {
    if (file.stages.size() == kMaxStages)
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxStages, " stages"));
    file.stages.push_back(parse_from(line, file.escape));
    return;
  }
  if (file.stages.empty()) {
    // The keyword is checked first: a misspelt FROM deserves a better answer than "no FROM".
    const auto instruction = parse_instruction({line, file.escape});
    if (line.keyword != "ARG")
      throw Error(Errc::invalid_content,
                  cat(line.keyword, " before the first FROM: only ARG may be there"));
    add_global_arg(file, line);
    return;
  }
  file.stages.back().instructions.push_back(parse_instruction({line, file.escape}));
}

}  // namespace

std::string description_of(const std::vector<std::string>& comments, std::string_view name) {
  for (const std::string& comment : comments) {
    if (!name.empty() && comment.size() > name.size() && comment.starts_with(name) &&
        comment[name.size()] == ' ')
      return comment.substr(name.size() + 1);
  }
  return {};
}

Containerfile parse_containerfile(std::string name, std::string text) {
  Containerfile file;
  file.source = std::make_shared<const SourceText>(std::move(name), std::move(text));
  LexedFile lexed = lex(*file.source);
  file.escape = lexed.escape;
  if (const auto check = lexed.directives.find("check"); check != lexed.directives.end())
    file.check = check->second;
  for (const LogicalLine& line : lexed.instructions) {
    try {
      add_line(file, line);
    } catch (const Error& e) {
      throw file.source->error(e.code(), line.lines, e.what(), e.detail());
    }
  }
  if (file.stages.empty())
    throw Error(Errc::invalid_content, cat(printable(file.source->name()), ": there is no FROM"));
  return file;
}

}  // namespace lade::build
