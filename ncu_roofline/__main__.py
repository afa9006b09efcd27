"""python -m ncu_roofline."""

from ncu_roofline.cli import main

main()
