#include "libimage/build/instructions.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::build {

const std::vector<InstructionType>& instruction_types() {
  static const std::vector<InstructionType> types = {
      {"ADD", parse_add},
      {"ARG", parse_arg},
      {"CMD", parse_cmd},
      {"COPY", parse_copy},
      {"ENTRYPOINT", parse_entrypoint},
      {"ENV", parse_env},
      {"EXPOSE", parse_expose},
      {"HEALTHCHECK", parse_healthcheck},
      {"LABEL", parse_label},
      {"MAINTAINER", parse_maintainer, false},
      {"ONBUILD", parse_onbuild, false},
      {"RUN", parse_run},
      {"SHELL", parse_shell},
      {"STOPSIGNAL", parse_stopsignal},
      {"USER", parse_user},
      {"VOLUME", parse_volume},
      {"WORKDIR", parse_workdir},
  };
  return types;
}

std::unique_ptr<Instruction> parse_instruction(const ParseInput& input) {
  const auto& types = instruction_types();
  const auto type = std::find_if(types.begin(), types.end(), [&](const InstructionType& t) {
    return t.keyword == input.line.keyword;
  });
  if (type != types.end()) return type->parse(input);
  std::vector<std::string> names = {"FROM"};
  for (const InstructionType& known : types) names.emplace_back(known.keyword);
  const auto near = nearest(input.line.keyword, names);
  throw Error(Errc::invalid_content,
              cat("unknown instruction ", quoted(input.line.keyword),
                  near ? cat(", did you mean ", *near, "?") : std::string()));
}

}  // namespace lade::build
