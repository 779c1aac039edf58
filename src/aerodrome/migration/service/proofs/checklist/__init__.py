"""The items of the cutover checklist, by what they look at; `checking.py` walks them."""
