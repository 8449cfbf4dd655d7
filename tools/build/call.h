/// lade build --call and --check: what a Containerfile says, without building it.
#pragma once
#include "libimage/build/build.h"

#include "tools/common/options.h"

namespace lade::tools {

/// What --call asks for.
struct Call {
  enum class Method { build, check, outline, targets } method = Method::build;
  bool json = false;
  bool ignore_status = false;  ///< a check that finds something still ends with status 0
};

/// Reads --call METHOD[,format=json|text][,ignorestatus=true] and --check. Throws UsageError.
Call read_call(const Arguments& arguments);

/// Prints what `call` asks for, which is no build; returns the exit status.
int run_call(const Call& call, const build::BuildOptions& options,
             const build::BuildServices& services);

}  // namespace lade::tools
