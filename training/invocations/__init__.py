"""Invocation data, step III of VITRON (arXiv 2412.19806, section 4.3): requests, and replies that call expert modules.

    captions, regions, tracks -> templates -> (paraphraser) -> checks -> conversations as LLaVA has them

What is written has gone through the checks of the runtime: it parses into what was meant, and the text asks for it.
"""
