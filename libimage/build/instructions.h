/// The table of instructions: to add one is a new file and a line in instructions.cpp.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "libimage/build/instruction.h"

namespace lade::build {

struct InstructionType {
  std::string_view keyword;
  std::unique_ptr<Instruction> (*parse)(const ParseInput&);
  bool in_trigger = true;  ///< may stand behind ONBUILD
};

/// Every instruction but FROM, which opens a stage (containerfile.h).
const std::vector<InstructionType>& instruction_types();

/// Parses one line. Throws Error{invalid_content} without a place; an unknown keyword is answered
/// with the nearest known one.
std::unique_ptr<Instruction> parse_instruction(const ParseInput& input);

std::unique_ptr<Instruction> parse_add(const ParseInput&);
std::unique_ptr<Instruction> parse_arg(const ParseInput&);
std::unique_ptr<Instruction> parse_cmd(const ParseInput&);
std::unique_ptr<Instruction> parse_copy(const ParseInput&);
std::unique_ptr<Instruction> parse_entrypoint(const ParseInput&);
std::unique_ptr<Instruction> parse_env(const ParseInput&);
std::unique_ptr<Instruction> parse_expose(const ParseInput&);
std::unique_ptr<Instruction> parse_healthcheck(const ParseInput&);
std::unique_ptr<Instruction> parse_label(const ParseInput&);
std::unique_ptr<Instruction> parse_maintainer(const ParseInput&);
std::unique_ptr<Instruction> parse_onbuild(const ParseInput&);
std::unique_ptr<Instruction> parse_run(const ParseInput&);
std::unique_ptr<Instruction> parse_shell(const ParseInput&);
std::unique_ptr<Instruction> parse_stopsignal(const ParseInput&);
std::unique_ptr<Instruction> parse_user(const ParseInput&);
std::unique_ptr<Instruction> parse_volume(const ParseInput&);
std::unique_ptr<Instruction> parse_workdir(const ParseInput&);

}  // namespace lade::build
