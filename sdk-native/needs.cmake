# SPDX-License-Identifier: Apache-2.0
# Fails unless LIBRARY asks for a library of the name NEEDED.
execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C objdump -p "${LIBRARY}" OUTPUT_VARIABLE headers
  RESULT_VARIABLE result)
if(NOT result EQUAL 0 OR NOT headers MATCHES "NEEDED +${NEEDED}\n")
  message(FATAL_ERROR "${LIBRARY} doesn't ask for ${NEEDED}: expected ISA-L 2, of package libisal-dev")
endif()
